// Dials the server's own port again and again, as a caller would, and tells
// whether it answers: health on another port would not know.
// Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_SELF_DIAL_H_
#define SALIENCY_SERVER_TRANSPORT_SELF_DIAL_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "server/periodic.h"
#include "server/telemetry/log.h"
#include "server/transport/connection_acceptor.h"

namespace saliency {

struct SelfDialOptions {
  std::string host;  // of the listening address
  bool tls = false;  // the port speaks TLS
  absl::Duration every = absl::Seconds(5);
  absl::Duration idle_timeout = absl::Seconds(2);  // for an answer
  int failures = 3;  // in a row, after which the port counts as dead
};

class SelfDial {
 public:
  // `answers` hears of each change: whether the port answers.  All outlive
  // this.
  SelfDial(const SelfDialOptions& options, ConnectionAcceptor& acceptor,
           Clock& clock, Log& log, std::function<void(bool answers)> answers);

 private:
  void Look();

  const SelfDialOptions options_;
  ConnectionAcceptor& acceptor_;
  Log& log_;
  const std::function<void(bool)> answers_;
  // The thread's own.
  int failures_ = 0;  // in a row
  bool dead_ = false;
  Periodic look_;  // last: uses all of the above
};

// Connects to the acceptor's port, greets it and waits for a first byte.
// Errors: UNAVAILABLE saying how far it came.
absl::Status DialOnce(const SelfDialOptions& options,
                      ConnectionAcceptor& acceptor);

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_SELF_DIAL_H_
