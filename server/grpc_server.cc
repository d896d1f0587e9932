#include "server/grpc_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "grpcpp/health_check_service_interface.h"
#include "server/server_credentials.h"

namespace saliency {
namespace {

// A message of the largest allowed input carries names and options too.
constexpr int64_t kMessageSlackBytes = 64 << 10;
constexpr int kMinPingIntervalMs = 10'000;  // what clients may ask of us

void Set(const char* argument, absl::Duration value,
         grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(
      argument, static_cast<int>(absl::ToInt64Milliseconds(value)));
}

// gRPC's own default is for ever.
void SetUnlessZero(const char* argument, absl::Duration value,
                   grpc::ServerBuilder& builder) {
  if (value > absl::ZeroDuration()) Set(argument, value, builder);
}

void AddConnectionLimits(const ConnectionLimits& limits,
                         grpc::ServerBuilder& builder) {
  Set(GRPC_ARG_KEEPALIVE_TIME_MS, limits.keepalive_time, builder);
  Set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, limits.keepalive_timeout, builder);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Otherwise pings end after the second one that meets no data.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kMinPingIntervalMs);
  Set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, limits.handshake_timeout, builder);
  SetUnlessZero(GRPC_ARG_MAX_CONNECTION_IDLE_MS, limits.max_idle, builder);
  SetUnlessZero(GRPC_ARG_MAX_CONNECTION_AGE_MS, limits.max_age, builder);
  SetUnlessZero(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, limits.max_age_grace,
                builder);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             limits.max_streams);
}

void AddArguments(const ListenOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(options.max_message_bytes + kMessageSlackBytes));
  // Answers are bounded by maps x pixels instead.
  builder.SetMaxSendMessageSize(-1);
  // Otherwise two servers share one port, each with half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  AddConnectionLimits(options.connections, builder);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const ListenOptions& options, const std::vector<grpc::Service*>& services) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials,
                   MakeServerCredentials(options.tls));
  // Acts on servers built later; setting it again changes nothing.
  grpc::EnableDefaultHealthCheckService(false);
  grpc::ServerBuilder builder;
  AddArguments(options, builder);
  int port = 0;
  if (!options.address.empty()) {
    builder.AddListeningPort(options.address, credentials, &port);
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || (port == 0 && !options.address.empty())) {
    return absl::UnavailableError(
        absl::StrCat(options.flag, " ", options.address,
                     ": cannot listen there (in use, or not an address of "
                     "this machine)"));
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(server), port));
}

GrpcServer::~GrpcServer() {
  // A call that came while the last ones were being answered hears that the
  // server is going before its connection does.
  constexpr auto kLateCalls = std::chrono::seconds(1);
  server_->Shutdown(std::chrono::system_clock::now() + kLateCalls);
  server_->Wait();
}

std::shared_ptr<grpc::Channel> GrpcServer::InProcessChannel() {
  return server_->InProcessChannel(grpc::ChannelArguments());
}

}  // namespace saliency
