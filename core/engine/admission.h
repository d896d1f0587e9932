// Who is in the engine: bounds what waits by items and what is held by bytes,
// in total and by caller, and knows every job that has not been answered.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_ADMISSION_H_
#define SALIENCY_CORE_ENGINE_ADMISSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/engine/byte_budget.h"

namespace saliency {

class ActiveJob;

struct EngineLoad {          // for gauges
  int64_t queued_items = 0;  // admitted and waiting
  int64_t queued_bytes = 0;  // of inputs and answers, until these have left
  int64_t in_flight = 0;     // submitted and not yet answered
};

class Admission {
 public:
  // `caller_share` of both, in (0, 1], is what one caller may have.  Of items,
  // when half of all are waiting, an equal part: callers take turns, so that
  // one with more of them would wait for longer than it takes to work off all.
  Admission(int64_t max_items, int64_t max_bytes, double caller_share = 1);

  // Takes the job in; it waits.
  // Errors: RESOURCE_EXHAUSTED naming value and limit; UNAVAILABLE after Close.
  absl::Status Admit(const std::shared_ptr<ActiveJob>& job)
      ABSL_LOCKS_EXCLUDED(mu_);

  // An admitted job of this caller waits no longer, or again.
  void LeaveQueue(const std::string& caller) ABSL_LOCKS_EXCLUDED(mu_);
  void EnterQueue(const std::string& caller) ABSL_LOCKS_EXCLUDED(mu_);
  // An admitted job's caller has its answer.
  void Answered(const ActiveJob* job) ABSL_LOCKS_EXCLUDED(mu_);

  // What jobs and answers hold.
  const std::shared_ptr<ByteBudget>& bytes() const { return bytes_; }

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
  bool Empty() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return in_flight_ == 0; }

  // How many items a caller may have of whom `own` wait.
  int64_t LimitOf(int64_t own) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Count(const std::string& caller, int64_t change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int64_t max_items_;
  const int64_t max_items_of_caller_;
  const std::shared_ptr<ByteBudget> bytes_;

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t items_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, int64_t> items_of_ ABSL_GUARDED_BY(mu_);  // none is 0
  // As entries_.size(), for a predicate that may call nothing instrumented.
  int64_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<const ActiveJob*, std::weak_ptr<ActiveJob>> entries_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_ADMISSION_H_
