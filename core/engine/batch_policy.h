// When a batch is closed and how much goes into it: a pure function, so that
// every case can stand in a table.  The batcher around it only locks and waits.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_BATCH_POLICY_H_
#define SALIENCY_CORE_ENGINE_BATCH_POLICY_H_

#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace saliency {

struct BatchLimits {
  int64_t max_rows = 16;     // >= 1
  int max_requests = 16;     // >= 1
  absl::Duration max_delay;  // 0: never wait; counted from the oldest arrival
};

// Whether anyone can still join those who wait.
enum class Arrivals { kOpen, kEnded };

// The oldest waiting item and all that may share its passes.
struct BatchCandidates {
  absl::Span<const int64_t> rows;  // of each item, oldest first; each >= 1
  absl::Time oldest_arrival;
  absl::Time earliest_deadline = absl::InfiniteFuture();
  Arrivals arrivals = Arrivals::kOpen;
};

struct BatchDecision {
  int take = 0;  // > 0: run the first `take` items now
  absl::Time wake = absl::InfiniteFuture();  // else decide again by then
};

// Closes a batch when it is full, when its oldest item has waited max_delay,
// when waiting that long would miss a deadline, or when nobody can join.
// Items are taken in order of arrival without overtaking; one with more than
// max_rows runs alone (the explainer cuts its rows into chunks).
BatchDecision DecideBatch(const BatchCandidates& waiting, absl::Time now,
                          const BatchLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_BATCH_POLICY_H_
