#include "server/grpc_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"

namespace saliency {
namespace {

// A message of the largest allowed input carries names and options too.
constexpr int64_t kMessageSlackBytes = 64 << 10;
constexpr int kKeepaliveMs = 60'000;  // ask an idle peer whether it lives
constexpr int kKeepaliveTimeoutMs = 20'000;  // and give up on it
constexpr int kMinPingIntervalMs = 10'000;   // what clients may ask of us

void AddArguments(const ListenOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(options.max_message_bytes + kMessageSlackBytes));
  // Answers are bounded by maps x pixels instead.
  builder.SetMaxSendMessageSize(-1);
  // Otherwise two servers share one port, each with half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kMinPingIntervalMs);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const ListenOptions& options, const std::vector<grpc::Service*>& services) {
  // Both act on servers built later; setting them again changes nothing.
  grpc::EnableDefaultHealthCheckService(false);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  AddArguments(options, builder);
  int port = 0;
  if (!options.address.empty()) {
    builder.AddListeningPort(options.address, grpc::InsecureServerCredentials(),
                             &port);
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
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::shared_ptr<grpc::Channel> GrpcServer::InProcessChannel() {
  return server_->InProcessChannel(grpc::ChannelArguments());
}

}  // namespace saliency
