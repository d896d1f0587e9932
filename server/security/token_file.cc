#include "server/security/token_file.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/status.h"
#include "server/security/small_file.h"

namespace saliency {
namespace {

constexpr absl::Duration kReloadPeriod = absl::Seconds(1);

absl::StatusOr<BearerTokens> ReadTokens(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadSmallFile(path);
  if (!text.ok()) return Annotate(text.status(), "--token-file");
  absl::StatusOr<BearerTokens> tokens = BearerTokens::Parse(*text);
  if (tokens.ok()) return tokens;
  return Annotate(tokens.status(), absl::StrCat("--token-file: ", path));
}

absl::Status NotAuthenticated(absl::string_view why) {
  return absl::UnauthenticatedError(why);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenFile>> TokenFile::Open(
    const std::string& path, Clock& clock, Log& log) {
  ASSIGN_OR_RETURN(BearerTokens tokens, ReadTokens(path));
  return std::unique_ptr<TokenFile>(
      new TokenFile(path, std::move(tokens), clock, log));
}

TokenFile::TokenFile(std::string path, BearerTokens tokens, Clock& clock,
                     Log& log)
    : path_(std::move(path)),
      log_(log),
      tokens_(std::move(tokens)),
      reload_(clock, kReloadPeriod, [this] { Reload(); }) {}

absl::Status TokenFile::Check(const grpc::ServerContextBase& context) const {
  const auto [first, last] =
      context.client_metadata().equal_range("authorization");
  if (first == last) {
    return NotAuthenticated(
        "no token: send metadata \"authorization: Bearer TOKEN\"");
  }
  if (std::next(first) != last) {
    return NotAuthenticated("more than one authorization metadata");
  }
  absl::string_view shown(first->second.data(), first->second.size());
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(shown, kScheme)) {
    return NotAuthenticated("authorization metadata is not \"Bearer TOKEN\"");
  }
  shown.remove_prefix(kScheme.size());
  if (!Contains(absl::StripAsciiWhitespace(shown))) {
    return NotAuthenticated("the token is not valid");
  }
  return absl::OkStatus();
}

bool TokenFile::Contains(absl::string_view token) const {
  MutexLock lock(&mu_);
  return tokens_.Contains(token);
}

void TokenFile::Reload() {
  absl::StatusOr<BearerTokens> read = ReadTokens(path_);
  if (!read.ok()) {
    if (problem_ == read.status().message()) return;
    problem_ = std::string(read.status().message());
    log_.Error("the tokens cannot be read again; those read before stay valid",
               {{"error", problem_}});
    return;
  }
  problem_.clear();
  const int count = read->size();
  {
    MutexLock lock(&mu_);
    if (tokens_ == *read) return;
    tokens_ = *std::move(read);
  }
  log_.Info("tokens changed", {{"tokens", count}});
}

absl::Status CheckToken(const TokenFile* tokens,
                        const grpc::ServerContextBase& context) {
  return tokens == nullptr ? absl::OkStatus() : tokens->Check(context);
}

}  // namespace saliency
