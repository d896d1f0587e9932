#include "server/security/bearer_tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/base/text_lines.h"

namespace saliency {
namespace {

// Each call compares with all of them.
constexpr size_t kMaxTokens = 1024;

bool IsBearerToken(absl::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("-._~+/").find(c) != absl::string_view::npos;
  });
}

}  // namespace

absl::StatusOr<BearerTokens> BearerTokens::Parse(absl::string_view text) {
  BearerTokens tokens;
  int number = 0;
  ASSIGN_OR_RETURN(const std::vector<absl::string_view> lines, TextLines(text));
  for (absl::string_view line : lines) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    if (!IsBearerToken(line)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "line ", number,
          " is no bearer token (letters, digits, -._~+/, = at the end)"));
    }
    tokens.digests_.push_back(DigestOf(line));
  }
  if (tokens.digests_.empty()) {
    return absl::InvalidArgumentError("holds no token");
  }
  if (tokens.digests_.size() > kMaxTokens) {
    return absl::InvalidArgumentError(absl::StrCat(
        "holds ", tokens.digests_.size(), " tokens, more than ", kMaxTokens));
  }
  return tokens;
}

bool BearerTokens::Contains(absl::string_view token) const {
  const Digest shown = DigestOf(token);
  // All of them are compared, whichever is found.
  int found = 0;
  for (const Digest& digest : digests_) {
    found |= CRYPTO_memcmp(shown.data(), digest.data(), digest.size()) == 0;
  }
  return found != 0;
}

BearerTokens::Digest BearerTokens::DigestOf(absl::string_view token) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         digest.data());
  return digest;
}

}  // namespace saliency
