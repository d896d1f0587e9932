// From the attributions a caller asks for to one planned result for each
// (attribution, layer): either part of the pass, or the reason why not.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_RESULTS_H_
#define SALIENCY_CORE_ENGINE_PLAN_RESULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/engine/engine_limits.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
#include "core/engine/model_facts.h"

namespace saliency {

struct PlannedResult {
  absl::Status status;  // not OK: this attribution cannot be had at this layer
  int attribution = 0;  // index into the job
  std::string method;   // Attribution::name()
  std::string layer;
  bool is_signed = false;
  int64_t layer_pixels = 0;  // of its map, at the model's configured input
  int pass_index = -1;       // into PassItem::attributions when OK
};

struct ResultPlan {
  std::vector<PlannedResult> results;  // in the order asked for
  std::vector<PassAttribution> pass;   // those that the model must compute
};

// Errors: INVALID_ARGUMENT no attribution, too many, too many layers, a layer
//   named twice; or, when no result can be had at all, the first one's status.
absl::StatusOr<ResultPlan> PlanResults(const Job& job, const ModelFacts& model,
                                       const EngineLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_RESULTS_H_
