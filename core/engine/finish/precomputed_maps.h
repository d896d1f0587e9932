// Combinations of maps that the caller has already: no model, no pass, no
// queue; checked, measured and joined like a model's.
// Thread-compatible.

#ifndef SALIENCY_CORE_ENGINE_FINISH_PRECOMPUTED_MAPS_H_
#define SALIENCY_CORE_ENGINE_FINISH_PRECOMPUTED_MAPS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/finish/rendering.h"
#include "core/engine/job.h"
#include "core/engine/plan/job_cost.h"
#include "core/engine/plan/prepare.h"
#include "core/image/image.h"

namespace saliency {

// Whether the job's input is maps.
bool HoldsGivenMaps(const Job& job);

// Finds all that is wrong with such a job and can be seen by headers and sizes.
// REQUIRES: HoldsGivenMaps(job).
void CheckGivenMaps(const Job& job, const EngineLimits& limits,
                    Violations& found);

// Bytes that the input holds until it is answered.  Looks at headers and sizes
// only.  REQUIRES: HoldsGivenMaps(job).
// Errors: INVALID_ARGUMENT all that CheckGivenMaps finds.
absl::StatusOr<int64_t> MeasureGivenMaps(const Job& job,
                                         const EngineLimits& limits);

// What the job will take, its input included.  REQUIRES: HoldsGivenMaps(job).
// Errors: as MeasureGivenMaps and of PrecomputedMapsRendering, but for those
// that lie
//   inside the input.
absl::StatusOr<JobCost> CostOfGivenMaps(const Job& job,
                                        const EngineLimits& limits);

// The whole answer: `combined`, and `layer_maps` where asked for; no model and
// no images.
// Errors of its steps: INVALID_ARGUMENT as for a model's maps; a weighting that
//   is calibrated; a value that is not finite; a size that needs a model.
class PrecomputedMapsRendering final : public Rendering {
 public:
  // REQUIRES: MeasureGivenMaps found nothing wrong.  `job` outlives this.
  PrecomputedMapsRendering(const Job& job, const EngineLimits& limits);

 private:
  absl::Status Prepare();

  const Job& job_;
  const EngineLimits limits_;
  std::optional<Image> image_;
  std::vector<absl::StatusOr<at::Tensor>> maps_;
  PreparedJob prepared_;
};

// All of it at once.
absl::StatusOr<Explanation> CombineGivenMaps(const Job& job,
                                             const EngineLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_PRECOMPUTED_MAPS_H_
