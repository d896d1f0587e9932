#include "server/transport/grpc_server.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "server/transport/held_calls_watch.h"

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

// A caller's message counts by its size before it is unpacked, which may be a
// thousandth of that after: only plain ones are taken.
void RefuseCompression(grpc::ServerBuilder& builder) {
  for (const grpc_compression_algorithm algorithm :
       {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
}

// What gRPC holds of messages that have not come whole, or not left, and of its
// calls: near the bound it takes in less, and then ends calls.
void BoundMemory(int64_t bytes, grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("saliency");
  quota.Resize(static_cast<size_t>(bytes));
  builder.SetResourceQuota(quota);
}

void AddArguments(const ListenOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(options.max_message_bytes + kMessageSlackBytes));
  // Answers are bounded by maps x pixels instead.
  builder.SetMaxSendMessageSize(-1);
  RefuseCompression(builder);
  BoundMemory(TransportBytes(options.connections, options.max_message_bytes),
              builder);
  AddConnectionLimits(options.connections, builder);
  // Its counts tell what it holds (HeldCallsWatch).
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);
  // All that was read is taken in before a peer that does harm is reset: 4 MiB
  // by default, where a call may have 28 bytes.
  constexpr int kReadBytes = 16 << 10;
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadBytes);
}

}  // namespace

int64_t TransportBytes(const ConnectionLimits& limits,
                       int64_t max_message_bytes) {
  // Less would never take the largest message.
  return std::max(limits.transport_bytes, 2 * max_message_bytes);
}

int64_t UploadBytes(const ConnectionLimits& limits, int64_t max_message_bytes) {
  // gRPC begins to hesitate, and to end calls, when it is near its own bound.
  // Frames and headers come on top of the largest message.
  return std::max(
      TransportBytes(limits, max_message_bytes) / 2,
      max_message_bytes + max_message_bytes / 64 + 2 * kMessageSlackBytes);
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const ListenOptions& options, const std::vector<grpc::Service*>& services) {
  std::shared_ptr<TlsIdentity> identity;
  if (options.tls.enabled()) {
    ASSIGN_OR_RETURN(identity, TlsIdentity::Read(options.tls));
  }
  // Acts on servers built later; setting it again changes nothing.
  grpc::EnableDefaultHealthCheckService(false);
  auto started =
      std::unique_ptr<GrpcServer>(new GrpcServer(options, std::move(identity)));
  grpc::ServerBuilder builder;
  AddArguments(options, builder);
  std::optional<ListeningSockets> sockets;
  if (!options.address.empty()) {
    ASSIGN_OR_RETURN(sockets,
                     ListeningSockets::Bind(options.address, options.flag));
    started
        ->connections_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        MakeServerCredentials(started->identity_));
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  started->server_ = builder.BuildAndStart();
  if (started->server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat(options.flag, ": gRPC cannot start"));
  }
  started->channelz_id_ = NewestChannelzServer();
  if (sockets.has_value()) {
    started->acceptor_ = std::make_unique<ConnectionAcceptor>(
        *std::move(sockets), started->ledger_,
        [server = started.get()](int fd) { server->Take(fd); });
  }
  return started;
}

GrpcServer::~GrpcServer() {
  if (acceptor_ != nullptr) {
    acceptor_->StopListening();
    // The last answers leave; what comes meanwhile is answered as ever.
    constexpr absl::Duration kLastAnswers = absl::Milliseconds(300);
    absl::SleepFor(kLastAnswers);
    // gRPC cancels what comes after Shutdown, as if its callers had left.  To
    // peers that were hung up on it is UNAVAILABLE: they go elsewhere.
    ledger_.HangUpAll();
  }
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  server_->Wait();
}

int GrpcServer::port() const {
  return acceptor_ == nullptr ? 0 : acceptor_->port();
}

void GrpcServer::Take(int fd) {
  Connections::NewConnectionParameters connection;
  connection.fd = fd;
  connections_->HandleNewConnection(&connection);
}

std::shared_ptr<grpc::Channel> GrpcServer::InProcessChannel() {
  return server_->InProcessChannel(grpc::ChannelArguments());
}

}  // namespace saliency
