// The combinations of one row: its layers' maps, each resized, smoothed and
// stretched once, joined as each combination says.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_COMBINATION_H_
#define SALIENCY_CORE_ENGINE_FINISH_COMBINATION_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/finish_row.h"
#include "core/engine/job.h"
#include "core/engine/plan_results.h"

namespace saliency {

// One result for each combination, in order.  `layers` is what their plans'
// indices mean.  A combination fails alone when a layer that takes part has no
// map or one that is not finite.
std::vector<CombinedResult> FinishCombinations(
    const FinishRow& row, absl::Span<const PlannedCombination> combinations,
    absl::Span<const PlannedResult> layers);

// Their maps alone, [1,h,w] float32 of the output's size, or why there is none.
std::vector<absl::StatusOr<at::Tensor>> JoinCombinations(
    const FinishRow& row, absl::Span<const PlannedCombination> combinations,
    absl::Span<const PlannedResult> layers);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_COMBINATION_H_
