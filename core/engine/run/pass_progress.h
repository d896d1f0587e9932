// What the slices of one job have come to so far.  Several replicas may be at
// slices of the same job.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_RUN_PASS_PROGRESS_H_
#define SALIENCY_CORE_ENGINE_RUN_PASS_PROGRESS_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
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
  enum class Next { kMoreSlices, kSamples, kDone };

  // Takes in what came of a slice of `item`.  Returns, once each, kSamples when
  // all rows of the images themselves are there and those of samples may run,
  // and kDone when nothing is missing.
  Next Add(PassAnswer part, const PassItem& item, const RowSlice& slice,
           const SlicePasses& passes) ABSL_LOCKS_EXCLUDED(mu_);
  // How many of the samples of `item` have been run.
  SampleProgress Samples(const PassItem& item) ABSL_LOCKS_EXCLUDED(mu_);
  // [images x targets], which the rows of samples explain.
  // REQUIRES: Add returned kSamples.
  std::vector<int64_t> Classes() ABSL_LOCKS_EXCLUDED(mu_);
  // What the samples of a slice mask its image by; undefined: nothing.
  // REQUIRES: Add returned kSamples.
  at::Tensor MaskActivation(const PassItem& item, const RowSlice& slice)
      ABSL_LOCKS_EXCLUDED(mu_);
  // REQUIRES: Add returned kDone.
  PassOutcome Take() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  int64_t rows_done_ ABSL_GUARDED_BY(mu_) = 0;
  PassOutcome outcome_ ABSL_GUARDED_BY(mu_) = {.passes = {.rows = 0}};
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_PASS_PROGRESS_H_
