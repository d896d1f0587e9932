// What the slices of one job have come to so far.  Several replicas may be at
// slices of the same job.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_RUN_PASS_PROGRESS_H_
#define SALIENCY_CORE_ENGINE_RUN_PASS_PROGRESS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/engine/explainer.h"
#include "core/engine/run/row_slice.h"

namespace saliency {

// The passes that a slice rode in.
struct SlicePasses {
  int requests = 1;  // that shared them
  int rows = 1;
  absl::Duration forward;
  absl::Duration backward;
  absl::Duration aggregate;
};

// All slices together.
struct PassOutcome {
  PassAnswer answer;
  SlicePasses passes;  // the most requests; rows and times summed
};

class PassProgress {
 public:
  // Takes in what came of a slice of `item`; returns whether it was the last.
  bool Add(PassAnswer part, const PassItem& item, const RowSlice& slice,
           const SlicePasses& passes) ABSL_LOCKS_EXCLUDED(mu_);
  // REQUIRES: Add returned true.
  PassOutcome Take() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  int64_t rows_done_ ABSL_GUARDED_BY(mu_) = 0;
  PassOutcome outcome_ ABSL_GUARDED_BY(mu_) = {.passes = {.rows = 0}};
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_PASS_PROGRESS_H_
