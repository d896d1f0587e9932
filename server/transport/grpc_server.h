// A listening gRPC server over services that others own.
// Thread-compatible.

#ifndef SALIENCY_SERVER_TRANSPORT_GRPC_SERVER_H_
#define SALIENCY_SERVER_TRANSPORT_GRPC_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/server_builder.h"
#include "server/security/server_credentials.h"
#include "server/transport/connection_acceptor.h"
#include "server/transport/transport_options.h"

namespace saliency {

struct ListenOptions {
  std::string address;                    // HOST:PORT; empty: in process only
  std::string flag = "--listen-address";  // for messages
  int64_t max_message_bytes = int64_t{32} << 20;
  ServerTlsFiles tls;
  ConnectionLimits connections;
  // Where its connections are entered, with the caps; outlives the server.
  // Null: one of its own.
  ConnectionLedger* ledger = nullptr;
};

// What gRPC may hold of messages on their way and of its calls, and how much of
// that of requests that have not come whole.
int64_t TransportBytes(const ConnectionLimits& limits,
                       int64_t max_message_bytes);
int64_t UploadBytes(const ConnectionLimits& limits, int64_t max_message_bytes);

class GrpcServer {
 public:
  // Serves `services`, which outlive it.  By one thread at a time.
  // Errors: UNAVAILABLE the address cannot be bound; as MakeServerCredentials.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const ListenOptions& options,
      const std::vector<grpc::Service*>& services);
  // Ends what is still in progress, and hangs up: callers see UNAVAILABLE.
  ~GrpcServer();

  int port() const;  // the bound one; 0: in process only
  // How channelz, which tells what gRPC counts, calls it.
  int64_t channelz_id() const { return channelz_id_; }
  // Who takes the connections; null: in process only.
  ConnectionAcceptor* acceptor() { return acceptor_.get(); }
  // What it shows at the TLS handshake; null: plain text.
  const std::shared_ptr<TlsIdentity>& identity() const { return identity_; }
  std::shared_ptr<grpc::Channel> InProcessChannel();

 private:
  using Connections = grpc::experimental::ExternalConnectionAcceptor;

  GrpcServer(const ListenOptions& options,
             std::shared_ptr<TlsIdentity> identity)
      : identity_(std::move(identity)),
        own_ledger_(options.connections.caps),
        ledger_(options.ledger == nullptr ? own_ledger_ : *options.ledger) {}

  void Take(int fd);

  const std::shared_ptr<TlsIdentity> identity_;
  ConnectionLedger own_ledger_;
  ConnectionLedger& ledger_;
  std::unique_ptr<Connections> connections_;
  std::unique_ptr<grpc::Server> server_;
  int64_t channelz_id_ = 0;
  std::unique_ptr<ConnectionAcceptor> acceptor_;  // uses the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_GRPC_SERVER_H_
