// Who is in the engine: bounds what waits, by items and by bytes, and knows
// every job that has not been answered.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_ADMISSION_H_
#define SALIENCY_CORE_ENGINE_ADMISSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace saliency {

class ActiveJob;

struct EngineLoad {          // for gauges
  int64_t queued_items = 0;  // admitted, in no pass yet
  int64_t queued_bytes = 0;  // inputs of all jobs in flight
  int64_t in_flight = 0;     // submitted and not yet answered
};

class Admission {
 public:
  Admission(int64_t max_items, int64_t max_bytes)
      : max_items_(max_items), max_bytes_(max_bytes) {}

  // Takes the job in, holding `bytes` until it is answered.
  // Errors: RESOURCE_EXHAUSTED naming value and limit (TooLargeError when no
  //   wait would help); UNAVAILABLE after Close.
  absl::Status Admit(const std::shared_ptr<ActiveJob>& job, int64_t bytes)
      ABSL_LOCKS_EXCLUDED(mu_);

  // One admitted job no longer waits.
  void LeaveQueue() ABSL_LOCKS_EXCLUDED(mu_);
  // An admitted job's caller has its answer.
  void Answered(const ActiveJob* job) ABSL_LOCKS_EXCLUDED(mu_);

  // Refuses from now on.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);
  // Errors: UNAVAILABLE after Close.
  absl::Status CheckOpen() const ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until nobody is in flight; returns whether that came by `deadline`.
  bool AwaitEmpty(Clock& clock, absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<std::shared_ptr<ActiveJob>> Outstanding() const
      ABSL_LOCKS_EXCLUDED(mu_);
  EngineLoad load() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    std::weak_ptr<ActiveJob> job;
    int64_t bytes = 0;
  };
  bool Empty() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return in_flight_ == 0; }

  const int64_t max_items_;
  const int64_t max_bytes_;

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t items_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  // As entries_.size(), for a predicate that may call nothing instrumented.
  int64_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<const ActiveJob*, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_ADMISSION_H_
