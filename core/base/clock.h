// The time source that everything with a deadline takes by reference, so that
// tests can move time by hand.
// Implementations are thread-safe.

#ifndef SALIENCY_CORE_BASE_CLOCK_H_
#define SALIENCY_CORE_BASE_CLOCK_H_

#include "absl/time/time.h"
#include "core/base/mutex.h"

namespace saliency {

class Clock {
 public:
  virtual ~Clock() = default;

  virtual absl::Time Now() = 0;

  // Waits on `mu` (which the caller holds) until `condition` holds or this
  // clock has reached `deadline`; returns whether the condition holds.
  virtual bool AwaitWithDeadline(Mutex* mu, const absl::Condition& condition,
                                 absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) = 0;

  // The machine's clock.  Never destroyed.
  static Clock& Real();
};

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_CLOCK_H_
