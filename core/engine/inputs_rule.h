// What a kind of method inputs asks of a model: where it can be had, what a
// pass has to record for it, and how the record becomes a MethodContext.  One
// table, so that whoever plans, lists, warms up and aggregates agrees. Pure
// functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_INPUTS_RULE_H_
#define SALIENCY_CORE_ENGINE_INPUTS_RULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/attribution/attribution.h"
#include "core/attribution/backward_rule.h"
#include "core/attribution/method.h"
#include "core/engine/model_metadata.h"
#include "core/model/probed_model.h"

namespace saliency {

// What a pass recorded for b rows at one layer.
struct RecordedLayer {
  at::Tensor activation;  // [b,K,H,W]
  at::Tensor gradient;    // as the activation; empty unless asked for
  at::Tensor input;       // what the layer was given; empty unless asked for
  at::Tensor score;       // [b] of each row
  at::Tensor region;      // [b,H,W] of each sample; empty for most
  at::IntArrayRef class_index;  // of each row
  // What each row's score is besides; empty: nothing.
  absl::Span<const std::vector<ScoreTerm>> others;
};

struct InputsRule {
  // What a layer must be, for messages: "a batch norm".
  const char* place = "a layer of shape [K,H,W]";
  bool needs_activation = true;  // false: nothing is recorded
  bool needs_gradient = false;   // of the layer's output
  bool needs_input = false;      // the layer's own
  // Errors: INVALID_ARGUMENT why `method` cannot be had at this layer.
  // REQUIRES: the layer is spatial.
  absl::Status (*check)(const ModelMetadata& model, const LayerInfo& layer,
                        absl::string_view method);
  // REQUIRES: check passed for the model's layer `layer`.
  MethodContext (*make)(const RecordedLayer& record, const LayerInfo& layer,
                        const ProbedModel& model);
};

const InputsRule& RuleOf(MethodInputs inputs);

// Whether there are maps of the layer at all.
// Errors: INVALID_ARGUMENT why not.
absl::Status CheckSpatial(const LayerInfo& layer);
// What a method asks of a model.
struct MethodNeeds {
  MethodInputs inputs = MethodInputs::kActivationAndGradient;
  BackwardRule rule;
  BackwardRule factor_rule;  // of its Attribution::input_factor()
};
MethodNeeds NeedsOf(const Attribution& attribution);
MethodNeeds NeedsOf(const Method& method);

// Whether `method`, which needs that much, can be had at the layer.
// Errors: INVALID_ARGUMENT why not.
absl::Status CheckApplies(const MethodNeeds& needs, absl::string_view method,
                          const ModelMetadata& model, const LayerInfo& layer);
// Whether it can be had at any layer.
// Errors: INVALID_ARGUMENT why at none.
absl::Status CheckAppliesSomewhere(const MethodNeeds& needs,
                                   absl::string_view method,
                                   const ModelMetadata& model);
// Where a method that needs that much can be had, in the order of the layers.
std::vector<std::string> LayersFor(const MethodNeeds& needs,
                                   const ModelMetadata& model);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_INPUTS_RULE_H_
