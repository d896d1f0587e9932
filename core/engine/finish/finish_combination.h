// The combinations of one row: its layers' maps, each resized, smoothed and
// normalised once, joined as each combination says.
// Pure functions; safe from any thread, but for what they add to.

#ifndef SALIENCY_CORE_ENGINE_FINISH_FINISH_COMBINATION_H_
#define SALIENCY_CORE_ENGINE_FINISH_FINISH_COMBINATION_H_

#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/finish/finish_row.h"
#include "core/engine/finish/rendering.h"
#include "core/engine/job.h"
#include "core/engine/plan/plan_results.h"

namespace saliency {

// Adds the pieces that append one result for each combination, in order, to
// `results`.  `layers` is what their plans' indices mean.  A combination fails
// alone when a layer that takes part has no map or one that is not finite.
// All but `row` is referred to.
void AddCombinations(std::shared_ptr<const FinishRow> row,
                     absl::Span<const PlannedCombination> combinations,
                     absl::Span<const PlannedResult> layers, Pieces& pieces,
                     std::vector<CombinedResult>& results);

// A map alone, [1,h,w] float32 of the output's size, or why there is none.
using JoinedMaps = std::vector<absl::StatusOr<at::Tensor>>;

// Adds the pieces that append the combinations' maps alone to `maps`.
void AddJoinedMaps(std::shared_ptr<const FinishRow> row,
                   absl::Span<const PlannedCombination> combinations,
                   absl::Span<const PlannedResult> layers, Pieces& pieces,
                   std::shared_ptr<JoinedMaps> maps);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_FINISH_COMBINATION_H_
