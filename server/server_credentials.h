// What the gRPC port shows and asks for at the TLS handshake.
//
// gRPC reads the files again once a second, but it also starts without them:
// they are checked here first.  A renewed certificate and its key are to be put
// in place together (a folder behind a link, as Kubernetes does): between the
// two, new connections fail.
// Pure functions of the file system; safe from any thread.

#ifndef SALIENCY_SERVER_SERVER_CREDENTIALS_H_
#define SALIENCY_SERVER_SERVER_CREDENTIALS_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/security/server_credentials.h"
#include "server/transport_options.h"

namespace saliency {

// How often gRPC looks at the files.
inline constexpr absl::Duration kTlsReloadPeriod = absl::Seconds(1);

// Errors: FAILED_PRECONDITION naming flag and file: not readable, no PEM, an
//   encrypted key, a key of another certificate, a certificate out of date.
absl::Status CheckTlsFiles(const ServerTlsFiles& files);

// Plain text when no file is named.
// Errors: as CheckTlsFiles.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerTlsFiles& files);

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVER_CREDENTIALS_H_
