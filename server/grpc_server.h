// A listening gRPC server over services that others own.
// Thread-compatible.

#ifndef SALIENCY_SERVER_GRPC_SERVER_H_
#define SALIENCY_SERVER_GRPC_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "server/transport_options.h"

namespace saliency {

struct ListenOptions {
  std::string address;                    // HOST:PORT; empty: in process only
  std::string flag = "--listen-address";  // for messages
  int64_t max_message_bytes = int64_t{32} << 20;
  ServerTlsFiles tls;
  ConnectionLimits connections;
};

class GrpcServer {
 public:
  // Serves `services`, which outlive it.
  // Errors: UNAVAILABLE the address cannot be bound; as MakeServerCredentials.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const ListenOptions& options,
      const std::vector<grpc::Service*>& services);
  // Cancels what is still in progress.
  ~GrpcServer();

  int port() const { return port_; }  // the bound one; 0: in process only
  std::shared_ptr<grpc::Channel> InProcessChannel();

 private:
  GrpcServer(std::unique_ptr<grpc::Server> server, int port)
      : server_(std::move(server)), port_(port) {}

  const std::unique_ptr<grpc::Server> server_;
  const int port_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_GRPC_SERVER_H_
