// A list of secrets that callers may show.  Holds digests alone, so that no
// dump of memory gives a token away, and compares in a time that tells nothing
// about them.
// Value type; thread-compatible.

#ifndef SALIENCY_SERVER_SECURITY_BEARER_TOKENS_H_
#define SALIENCY_SERVER_SECURITY_BEARER_TOKENS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

class BearerTokens {
 public:
  // One token a line; blank lines and lines that begin with # are skipped.
  // Errors: INVALID_ARGUMENT naming the line, never its text: none at all, more
  //   than 1024, or characters that a bearer token cannot have (RFC 6750:
  //   letters, digits, -._~+/ and = at the end).
  static absl::StatusOr<BearerTokens> Parse(absl::string_view text);

  bool Contains(absl::string_view token) const;
  int size() const { return static_cast<int>(digests_.size()); }

  friend bool operator==(const BearerTokens&, const BearerTokens&) = default;

 private:
  using Digest = std::array<uint8_t, 32>;  // SHA-256

  static Digest DigestOf(absl::string_view token);

  std::vector<Digest> digests_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SECURITY_BEARER_TOKENS_H_
