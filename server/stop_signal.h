// When and why the server is to stop: a signal, or a fault that it cannot serve
// on after.  A second signal ends the process at once.
// Thread-safe.

#ifndef SALIENCY_SERVER_STOP_SIGNAL_H_
#define SALIENCY_SERVER_STOP_SIGNAL_H_

#include <optional>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace saliency {

enum class StopReason { kSignal, kDeviceLost, kStalled };

class StopSignal {
 public:
  // The first reason counts.
  void Stop(StopReason reason) ABSL_LOCKS_EXCLUDED(mu_);
  // Blocks until there is a reason.
  StopReason Await() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  bool Stopped() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return reason_.has_value();
  }

  Mutex mu_;
  std::optional<StopReason> reason_ ABSL_GUARDED_BY(mu_);
};

// Blocks SIGTERM, SIGINT and, unless it is ignored, SIGHUP in this thread and
// those it starts from here on: only HandleTerminationSignals sees them.  Call
// before any thread starts.
void BlockTerminationSignals();

// Starts a thread that waits for SIGTERM, SIGINT or SIGHUP: the first one stops
// `stop`, a second SIGTERM or SIGINT ends the process with exit code 3.  `stop`
// lives as long as the process.
void HandleTerminationSignals(StopSignal& stop);

}  // namespace saliency

#endif  // SALIENCY_SERVER_STOP_SIGNAL_H_
