// How the gRPC port treats its connections: who may listen in, and how long a
// peer may keep the server waiting.  Each field is a flag (options.h), but for
// StreamLimits::waiting_bytes.
// Value types.

#ifndef SALIENCY_SERVER_TRANSPORT_TRANSPORT_OPTIONS_H_
#define SALIENCY_SERVER_TRANSPORT_TRANSPORT_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "server/transport/connection_ledger.h"

namespace saliency {

// PEM files; none: plain text.
struct ServerTlsFiles {
  std::string cert;       // the chain, our own certificate first
  std::string key;        // its private key; goes with `cert`
  std::string client_ca;  // who signs callers' certificates; empty: anybody may

  bool enabled() const { return !cert.empty(); }
};

struct ConnectionLimits {
  // A peer that was quiet for this long is asked whether it lives, and given up
  // when it says nothing.
  absl::Duration keepalive_time = absl::Minutes(1);      // >= 1 s
  absl::Duration keepalive_timeout = absl::Seconds(20);  // >= 1 s
  // From the connection to the end of the TLS and HTTP/2 greeting.
  absl::Duration handshake_timeout = absl::Seconds(20);  // >= 1 s
  // Without a call; zero: for ever.
  absl::Duration max_idle = absl::Minutes(15);
  // Then the peer is asked to connect anew (so that clients find new servers),
  // and after the grace what is left of its calls is cancelled: the bound on a
  // request that never ends.  Zero: for ever.
  absl::Duration max_age = absl::Hours(1);
  absl::Duration max_age_grace = absl::Hours(1);
  int max_streams = 100;  // calls of one connection at a time; >= 1
  ConnectionCaps caps;
  // What gRPC may hold of messages on their way and of calls, by its own
  // reckoning; at least twice the largest message.
  int64_t transport_bytes = int64_t{256} << 20;
};

// Of one call of StreamSaliency.
struct StreamLimits {
  // Questions that are in work or whose answers wait to be written; no more are
  // read meanwhile.
  int window = 32;  // >= 1
  // Nor are any while the answers that wait to be written hold as much, by
  // their size on the wire.  What is in work by then still comes on top.
  int64_t waiting_bytes = int64_t{64} << 20;  // >= 1
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_TRANSPORT_OPTIONS_H_
