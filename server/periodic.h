// Does one thing again and again on a thread of its own.
// Thread-safe.

#ifndef SALIENCY_SERVER_PERIODIC_H_
#define SALIENCY_SERVER_PERIODIC_H_

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace saliency {

class Periodic {
 public:
  // Calls `work`, under no lock, each time `period` has passed since it last
  // returned; first after one period.  `clock` and what `work` refers to
  // outlive this.
  Periodic(Clock& clock, absl::Duration period, std::function<void()> work);
  // Waits for the `work` that is under way.
  ~Periodic();
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits out one period; false when it is time to stop.
  bool Wait() ABSL_LOCKS_EXCLUDED(mu_);

  Clock& clock_;
  const absl::Duration period_;
  const std::function<void()> work_;
  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_PERIODIC_H_
