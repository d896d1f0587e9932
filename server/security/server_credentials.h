// What the gRPC port shows and asks for at the TLS handshake: the files as they
// were when they were last good.
//
// Files that change are checked before they are used.  One that is invalid, out
// of date, or does not fit the others leaves what was good in force, so that a
// certificate and its key may also be renewed one after the other.
// Functions of the file system, safe from any thread; TlsIdentity is
// thread-safe.

#ifndef SALIENCY_SERVER_SECURITY_SERVER_CREDENTIALS_H_
#define SALIENCY_SERVER_SECURITY_SERVER_CREDENTIALS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "grpcpp/security/server_credentials.h"
#include "server/transport/transport_options.h"

namespace saliency {

// PEM.
struct TlsTexts {
  std::string cert;
  std::string key;
  std::string client_ca;  // empty: callers need none

  friend bool operator==(const TlsTexts&, const TlsTexts&) = default;
};

// REQUIRES: files.enabled().
// Errors: FAILED_PRECONDITION naming flag and file: not readable, no PEM, an
//   encrypted key, a key of another certificate, a certificate out of date.
absl::StatusOr<TlsTexts> ReadTlsFiles(const ServerTlsFiles& files);

// OK too when no file is named.  Errors: as ReadTlsFiles.
absl::Status CheckTlsFiles(const ServerTlsFiles& files);

class TlsIdentity {
 public:
  // Errors: as ReadTlsFiles.
  static absl::StatusOr<std::shared_ptr<TlsIdentity>> Read(
      const ServerTlsFiles& files);

  // Reads the files again and takes what is good; returns whether that is new.
  // Errors: as ReadTlsFiles; what was good stays.
  absl::StatusOr<bool> Reload() ABSL_LOCKS_EXCLUDED(mu_);

  // The texts and, into `number`, theirs, unless that is what it is.
  std::optional<TlsTexts> NewerThan(int64_t& number) const
      ABSL_LOCKS_EXCLUDED(mu_);

  const ServerTlsFiles& files() const { return files_; }
  bool asks_for_certificates() const { return !files_.client_ca.empty(); }

 private:
  TlsIdentity(ServerTlsFiles files, TlsTexts texts)
      : files_(std::move(files)), texts_(std::move(texts)) {}

  const ServerTlsFiles files_;
  mutable Mutex mu_;
  int64_t number_ ABSL_GUARDED_BY(mu_) = 1;
  TlsTexts texts_ ABSL_GUARDED_BY(mu_);
};

// New handshakes show the identity as it is then; null: plain text.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(
    const std::shared_ptr<const TlsIdentity>& identity);

}  // namespace saliency

#endif  // SALIENCY_SERVER_SECURITY_SERVER_CREDENTIALS_H_
