// How a client reaches its servers: credentials, limits, retries.
//
// Several servers, or one name with several addresses, are used in turn (round
// robin).  A failed call is tried again only for UNAVAILABLE and
// RESOURCE_EXHAUSTED, after the delay that the server asks for in
// `grpc-retry-pushback-ms`, or after a growing one; a negative push-back ends
// the retries.  Deadlines span all attempts.  A stream is not tried again as a
// whole (stream_session.h).
// Safe from any thread.

#ifndef SALIENCY_CLIENT_CHANNEL_H_
#define SALIENCY_CLIENT_CHANNEL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"

namespace saliency {

// TLS is used when any of these is set; all are PEM files.
struct TlsFiles {
  std::string ca;    // who may sign the server; empty: gRPC's default roots
  std::string cert;  // ours, for mutual TLS; with `key` or not at all
  std::string key;

  bool any() const { return !ca.empty() || !cert.empty() || !key.empty(); }
};

struct RetryOptions {
  int max_attempts = 5;  // in [1, 5]; 1: no retry.  gRPC's own limit is 5
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);
};

struct ChannelOptions {
  // "host:port", "1.2.3.4:port" or "[::1]:port"; at least one.
  std::vector<std::string> servers = {"127.0.0.1:50051"};
  TlsFiles tls;
  // The name in the servers' certificates; empty: the host of the first server.
  std::string tls_server_name;
  // Sent with everything as `authorization: Bearer TOKEN`; needs TLS.
  std::string token;
  // Whether only servers are called whose health (grpc.health.v1, the server as
  // a whole) is SERVING: of several, none gets calls while it starts or drains.
  // Without a health service a server counts as SERVING.
  bool ready_servers_only = false;
  RetryOptions retry;
  int max_send_bytes = 32 << 20;    // the server's default message limit
  int max_receive_bytes = 1 << 30;  // answers carry maps and may be larger
};

// gRPC's service config, as JSON: round robin, health checks and the retry
// policy.
std::string ServiceConfigJson(const ChannelOptions& options);

// Does not connect yet: the first call does.
// Errors: as ChannelTarget; INVALID_ARGUMENT for a file that cannot be read, a
//   certificate without its key, or a token without TLS.
absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(
    const ChannelOptions& options);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CHANNEL_H_
