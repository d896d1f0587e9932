// From the combinations a caller asks for to one plan for each: the distinct
// (method, layer) maps that they need, each made once, and the weights they are
// joined with.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_PLAN_COMBINATIONS_H_
#define SALIENCY_CORE_ENGINE_PLAN_PLAN_COMBINATIONS_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/engine/plan/plan_results.h"
#include "core/model/layer_weights.h"

namespace saliency {

// What combinations are planned on: a model's layers or maps that were given.
struct CombinationGround {
  absl::Span<const std::string> default_layers;
  // Null: there is no model, and calibrated weightings are refused.
  const LayerWeights* calibrated = nullptr;
  // Called once for each distinct (method, layer).
  absl::FunctionRef<PlannedResult(const JobCombination&,
                                  const std::string& layer)>
      plan_layer;
};

// Adds `combinations` and `layer_results` to `plan`.  Finds what is
// INVALID_ARGUMENT, by field: too many combinations, and those (which are not
// in the plan) with no layers, a layer named twice, explicit weights that do
// not fit the layers.  A layer that cannot be had and a weighting that is not
// calibrated are the combination's own status.
void PlanCombinations(const Job& job, const CombinationGround& ground,
                      const EngineLimits& limits, ResultPlan& plan,
                      Violations& found);

// Layers that the combinations name in all, defaults included.
std::size_t CountCombinedLayers(const Job& job,
                                absl::Span<const std::string> default_layers);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_PLAN_COMBINATIONS_H_
