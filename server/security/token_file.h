// The bearer tokens of a file, which may change while the server runs.
//
// It is read again once a second.  When it cannot be used any more (gone, or
// invalid), the tokens that were read last stay valid and the log says so:
// revoking a token means taking its line out.
// Thread-safe.

#ifndef SALIENCY_SERVER_SECURITY_TOKEN_FILE_H_
#define SALIENCY_SERVER_SECURITY_TOKEN_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "grpcpp/server_context.h"
#include "server/periodic.h"
#include "server/security/bearer_tokens.h"
#include "server/telemetry/log.h"

namespace saliency {

class TokenFile {
 public:
  // `clock` and `log` outlive it.
  // Errors: as ReadSmallFile and BearerTokens::Parse, naming --token-file.
  static absl::StatusOr<std::unique_ptr<TokenFile>> Open(
      const std::string& path, Clock& clock, Log& log);

  // Whether a call may come in by what it shows.
  // Errors: UNAUTHENTICATED when it has not exactly one `authorization`, or
  //   that is not "Bearer TOKEN" with a token of the file.
  absl::Status Check(const grpc::ServerContextBase& context) const
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  TokenFile(std::string path, BearerTokens tokens, Clock& clock, Log& log);

  void Reload() ABSL_LOCKS_EXCLUDED(mu_);
  bool Contains(absl::string_view token) const ABSL_LOCKS_EXCLUDED(mu_);

  const std::string path_;
  Log& log_;
  std::string problem_;  // what Reload last complained about; its thread's own
  mutable Mutex mu_;
  BearerTokens tokens_ ABSL_GUARDED_BY(mu_);
  Periodic reload_;  // last: uses all of the above
};

// The same where tokens may be switched off: OK when `tokens` is null.
absl::Status CheckToken(const TokenFile* tokens,
                        const grpc::ServerContextBase& context);

}  // namespace saliency

#endif  // SALIENCY_SERVER_SECURITY_TOKEN_FILE_H_
