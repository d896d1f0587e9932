// Ends the process when it does not end by itself: a model's pass cannot be
// broken off, and whoever waits for its thread would wait as long as it likes.
// Thread-safe.

#ifndef SALIENCY_SERVER_EXIT_GUARD_H_
#define SALIENCY_SERVER_EXIT_GUARD_H_

#include <thread>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "server/telemetry/log.h"

namespace saliency {

class ExitGuard {
 public:
  // `clock` and `log` outlive this.  To be destroyed after all that may hang.
  ExitGuard(Clock& clock, Log& log) : clock_(clock), log_(log) {}
  // The process ends by itself, or was not told to.
  ~ExitGuard();
  ExitGuard(const ExitGuard&) = delete;
  ExitGuard& operator=(const ExitGuard&) = delete;

  // From now on this has until `deadline` to be destroyed; then the process
  // leaves at once with `code`.  REQUIRES: called once.
  void Arm(absl::Time deadline, int code) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Clock& clock_;
  Log& log_;
  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // not before Arm
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_EXIT_GUARD_H_
