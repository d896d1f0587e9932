// When a batch is closed and how much goes into it: a pure function, so that
// every case can stand in a table.  The batcher around it only locks and waits.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_BATCH_POLICY_H_
#define SALIENCY_CORE_ENGINE_RUN_BATCH_POLICY_H_

#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace saliency {

// What separates batches of one model version.
struct BatchKey {
  int64_t input_height = 0;
  int64_t input_width = 0;
  bool stepped = false;  // by meta steps, which need not be alike

  friend bool operator==(const BatchKey&, const BatchKey&) = default;
};

struct BatchLimits {
  int64_t max_rows = 16;     // >= 1
  int max_requests = 16;     // >= 1
  absl::Duration max_delay;  // 0: never wait; counted from the oldest arrival
  // Rows that meta steps are taken for at a time; 0: as many as max_rows.
  int64_t max_stepped_rows = 0;
  // Of the inputs that max_rows is meant for: of larger ones fewer rows make a
  // batch.  0: whatever their size.
  int64_t input_pixels = 0;
};

// How many rows of this kind make a batch, and so a job's slice; >= 1.
int64_t RowsAtOnce(const BatchKey& key, const BatchLimits& limits);
// What a row of this kind takes of the model's time, beside others of the same
// model.
double RowCost(const BatchKey& key);

// Whether anyone can still join those who wait.
enum class Arrivals { kOpen, kEnded };

// The item whose turn it is and all that may share its passes.
struct BatchCandidates {
  absl::Span<const int64_t> rows;  // of each item's slice, in turn; each >= 1
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
// Items are taken in turn without overtaking; one with more than max_rows runs
// alone.
BatchDecision DecideBatch(const BatchCandidates& waiting, absl::Time now,
                          const BatchLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_BATCH_POLICY_H_
