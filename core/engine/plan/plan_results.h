// From the attributions a caller asks for to one planned result for each
// (attribution, layer): either part of the pass, or the reason why not.  And
// the same for the layers of combinations.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_PLAN_RESULTS_H_
#define SALIENCY_CORE_ENGINE_PLAN_PLAN_RESULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/attribution/combination_weights.h"
#include "core/attribution/combine.h"
#include "core/attribution/sampling.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"

namespace saliency {

// Near names cost an edit distance to each of the names there are: the first
// failures of a plan have them, so that hundreds of wrong names cost little.
inline constexpr int kFailuresWithNearNames = 8;

struct PlannedResult {
  absl::Status status;  // not OK: this attribution cannot be had at this layer
  int attribution = 0;  // index into the job
  std::string method;   // Attribution::name()
  std::string layer;
  bool is_signed = false;
  int64_t layer_pixels = 0;  // of its map, at the model's configured input
  int variant = 0;           // into PassItem::variants
  int pass_index = -1;       // into that variant's attributions when OK
  // As these, of the map that its own is multiplied by, at the input; -1: there
  // is none.
  int factor_variant = -1;
  int factor_pass_index = -1;
  // The variant whose score is that of the baseline; -1: there is none.
  int baseline_variant = -1;
  // Of the activation that is kept of each image for its samples, at the
  // model's configured input; 0: none is.
  int64_t kept_values = 0;
};

struct PlannedCombination {
  absl::Status status;  // not OK: this combination cannot be had
  int combination = 0;  // index into the job
  std::string method;   // Attribution::name(); empty for maps that were given
  Weighting weighting = Weighting::kUniform;
  CombineRule rule = CombineRule::kSum;
  std::vector<int> layers;  // into ResultPlan::layer_results, shallow to deep
  std::optional<CombinationWeights> weights;  // set when OK; one for each layer
};

// What a variant of its own is run for.
struct FurtherPass {
  BackwardRule rule;
  std::optional<Sampling> sampling;  // none: the images themselves
  // Where ResultPlan::pass records what samples mask by; -1: they do not.
  int mask_source = -1;
  bool baseline = false;  // of integrated gradients: its baseline alone
  std::vector<PassAttribution> attributions;
};

struct ResultPlan {
  std::vector<PlannedResult> results;  // in the order asked for
  std::vector<PlannedCombination> combinations;
  // What combinations need: each (method, layer) once, in the order of first
  // mention; `attribution` is the first combination that names it.
  std::vector<PlannedResult> layer_results;
  BackwardRule rule;                  // of `pass`
  std::vector<PassAttribution> pass;  // those that the model must compute
  // Variants after the one of `pass`, those with samples last: maps that share
  // samples and rule share a variant.
  std::vector<FurtherPass> further;
};

// Errors: NOT_FOUND with near names; INVALID_ARGUMENT a layer that is not
//   spatial.
absl::Status CheckSpatialLayer(const ModelMetadata& model,
                               const std::string& layer);

// Pooled layers are checked, and are part of no plan.  Finds what is
// INVALID_ARGUMENT (nothing is asked for, too many, too many layers, a layer
// named twice, weights that do not fit); when that or something before it is
// wrong, or no result can be had at all, also why results cannot be had.
ResultPlan PlanResults(const Job& job, const ModelMetadata& model,
                       const EngineLimits& limits, Violations& found);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_PLAN_RESULTS_H_
