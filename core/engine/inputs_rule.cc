#include "core/engine/inputs_rule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"

namespace saliency {
namespace {

absl::Status AppliesAnywhere(const ModelMetadata& /*model*/,
                             const LayerInfo& /*layer*/,
                             absl::string_view /*method*/) {
  return absl::OkStatus();
}

absl::Status NeedsHead(const ModelMetadata& model, const LayerInfo& layer,
                       absl::string_view method) {
  const std::vector<std::string>& at = model.head_layers;
  if (at.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "method \"", method, "\" needs a linear layer directly behind global ",
        "average pooling, which this model does not have"));
  }
  if (std::find(at.begin(), at.end(), layer.name) == at.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "method \"", method, "\" applies only at what the global average pool ",
        "takes (\"", absl::StrJoin(at, "\", \""), "\"), not at layer \"",
        layer.name, "\""));
  }
  return absl::OkStatus();
}

absl::Status NeedsKind(absl::string_view method, absl::string_view kind,
                       const LayerInfo& layer) {
  return absl::InvalidArgumentError(
      absl::StrCat("method \"", method, "\" needs a ", kind, "; layer \"",
                   layer.name, "\" is a ", layer.kind));
}

absl::Status NeedsConvolution(const ModelMetadata& /*model*/,
                              const LayerInfo& layer,
                              absl::string_view method) {
  if (layer.conv.has_value()) return absl::OkStatus();
  return NeedsKind(method, "2-d convolution", layer);
}

absl::Status NeedsBatchNorm(const ModelMetadata& /*model*/,
                            const LayerInfo& layer, absl::string_view method) {
  if (layer.batch_norm.has_value()) return absl::OkStatus();
  return NeedsKind(method, "batch norm", layer);
}

absl::Status NeedsInput(const ModelMetadata& /*model*/, const LayerInfo& layer,
                        absl::string_view method) {
  if (layer.name == "input") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "method \"", method,
      "\" applies only at layer \"input\", not at layer \"", layer.name, "\""));
}

// Not the image, whose values are of both signs, nor above the contrast, where
// there is none yet.
absl::Status NeedsWeightsAround(const ModelMetadata& /*model*/,
                                const LayerInfo& layer,
                                absl::string_view method) {
  if (layer.name != "input" && layer.behind_weights && layer.before_weights) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "method \"", method,
      "\" applies to layers between the first and the last operator with "
      "weights, which layer \"",
      layer.name, "\" is not"));
}

MethodContext WithGradient(const RecordedLayer& record,
                           const LayerInfo& /*layer*/,
                           const ProbedModel& /*model*/) {
  return {
      .layer = {.activation = record.activation, .gradient = record.gradient}};
}

MethodContext WithScore(const RecordedLayer& record, const LayerInfo& /*layer*/,
                        const ProbedModel& /*model*/) {
  return {.score = record.score, .region = record.region};
}

MethodContext WithHead(const RecordedLayer& record, const LayerInfo& /*layer*/,
                       const ProbedModel& model) {
  const at::Tensor& weight = model.linear_head()->weight;
  const at::Tensor rows =
      at::tensor(record.class_index, at::kLong).to(weight.device());
  at::Tensor of_rows = weight.index_select(0, rows);
  for (std::size_t r = 0; r < record.others.size(); ++r) {
    for (const ScoreTerm& term : record.others[r]) {
      of_rows[static_cast<int64_t>(r)].add_(weight[term.index], term.weight);
    }
  }
  return {.layer = {.activation = record.activation},
          .head_weights = of_rows.to(record.activation.device())};
}

MethodContext WithConvolution(const RecordedLayer& record,
                              const LayerInfo& layer,
                              const ProbedModel& model) {
  MethodContext context = WithGradient(record, layer, model);
  context.conv = ConvRecord{.input = record.input,
                            .output_gradient = record.gradient,
                            .geometry = *layer.conv};
  return context;
}

// xhat = (x - mean) / sqrt(var + eps), per channel.
at::Tensor Normalised(const at::Tensor& x, const BatchNormStatistics& norm) {
  const at::Tensor mean = norm.mean.to(x.device()).view({1, -1, 1, 1});
  const at::Tensor scale =
      (norm.variance.to(x.device()) + norm.eps).rsqrt().view({1, -1, 1, 1});
  return (x - mean) * scale;
}

MethodContext WithBatchNorm(const RecordedLayer& record, const LayerInfo& layer,
                            const ProbedModel& model) {
  MethodContext context = WithGradient(record, layer, model);
  context.layer.activation = Normalised(record.input, *layer.batch_norm);
  return context;
}

// Whether the whole network can be taken back by the rule.
absl::Status CheckOneRule(const BackwardRule& rule, absl::string_view method,
                          const ModelMetadata& model) {
  if (rule.allow_unsupported_activations) return absl::OkStatus();
  const auto refused = model.rule_refusals.find(rule.kind);
  if (refused == model.rule_refusals.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "method \"", method, "\" is not defined for this model: it has ",
      refused->second));
}

absl::Status CheckRules(const MethodNeeds& needs, absl::string_view method,
                        const ModelMetadata& model) {
  RETURN_IF_ERROR(CheckOneRule(needs.rule, method, model));
  return CheckOneRule(needs.factor_rule, method, model);
}

constexpr const char* kImageInput = "an input of shape [K,H,W]";

constexpr InputsRule kActivationAndGradient = {
    .needs_gradient = true, .check = &AppliesAnywhere, .make = &WithGradient};
constexpr InputsRule kActivation = {.check = &AppliesAnywhere,
                                    .make = &WithGradient};
constexpr InputsRule kActivationAndHead = {
    .place = "a linear layer directly behind global average pooling",
    .check = &NeedsHead,
    .make = &WithHead};
constexpr InputsRule kScoreAlone = {.place = kImageInput,
                                    .needs_activation = false,
                                    .check = &NeedsInput,
                                    .make = &WithScore};
constexpr InputsRule kScoreAtLayer = {
    .needs_activation = false, .check = &AppliesAnywhere, .make = &WithScore};
constexpr InputsRule kInputAndGradient = {.place = kImageInput,
                                          .needs_gradient = true,
                                          .check = &NeedsInput,
                                          .make = &WithGradient};
constexpr InputsRule kSignalBetweenWeights = {
    .place = "a layer between the first and the last operator with weights",
    .needs_gradient = true,
    .check = &NeedsWeightsAround,
    .make = &WithGradient};
constexpr InputsRule kRealConv = {.place = "a 2-d convolution",
                                  .needs_gradient = true,
                                  .needs_input = true,
                                  .check = &NeedsConvolution,
                                  .make = &WithConvolution};
constexpr InputsRule kRealBatchNorm = {.place = "a batch norm",
                                       .needs_gradient = true,
                                       .needs_input = true,
                                       .check = &NeedsBatchNorm,
                                       .make = &WithBatchNorm};

}  // namespace

const InputsRule& RuleOf(MethodInputs inputs) {
  switch (inputs) {
    case MethodInputs::kActivationAndGradient:
    case MethodInputs::kRelevance:
      return kActivationAndGradient;
    case MethodInputs::kExcitation:
      return kSignalBetweenWeights;
    case MethodInputs::kActivation:
      return kActivation;
    case MethodInputs::kActivationAndHead:
      return kActivationAndHead;
    case MethodInputs::kScore:
      return kScoreAlone;
    case MethodInputs::kChannelScores:
      return kScoreAtLayer;
    case MethodInputs::kInputAndGradient:
      return kInputAndGradient;
    case MethodInputs::kRealConv:
      return kRealConv;
    case MethodInputs::kRealBatchNorm:
      return kRealBatchNorm;
  }
  return kActivationAndGradient;  // no other value is made
}

MethodNeeds NeedsOf(const Attribution& attribution) {
  const std::optional<Attribution> factor = attribution.input_factor();
  return {.inputs = attribution.method_inputs(),
          .rule = attribution.rule(),
          .factor_rule = factor.has_value() ? factor->rule() : BackwardRule()};
}

MethodNeeds NeedsOf(const Method& method) {
  const Method* factor = method.input_factor;
  return {.inputs = method.method_inputs,
          .rule = method.rule,
          .factor_rule = factor != nullptr ? factor->rule : BackwardRule()};
}

absl::Status CheckSpatial(const LayerInfo& layer) {
  if (layer.spatial()) return absl::OkStatus();
  if (!layer.no_maps_because.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are no maps of layer \"", layer.name,
                     "\": ", layer.no_maps_because));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "layer \"", layer.name, "\" has shape [", absl::StrJoin(layer.shape, ","),
      "]; maps need a spatial layer of shape [K,H,W]"));
}

absl::Status CheckApplies(const MethodNeeds& needs, absl::string_view method,
                          const ModelMetadata& model, const LayerInfo& layer) {
  RETURN_IF_ERROR(CheckSpatial(layer));
  RETURN_IF_ERROR(RuleOf(needs.inputs).check(model, layer, method));
  return CheckRules(needs, method, model);
}

absl::Status CheckAppliesSomewhere(const MethodNeeds& needs,
                                   absl::string_view method,
                                   const ModelMetadata& model) {
  RETURN_IF_ERROR(CheckRules(needs, method, model));
  if (!LayersFor(needs, model).empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("method \"", method, "\" needs ", RuleOf(needs.inputs).place,
                   "; this model has none that maps can be had of"));
}

std::vector<std::string> LayersFor(const MethodNeeds& needs,
                                   const ModelMetadata& model) {
  std::vector<std::string> layers;
  for (const LayerInfo& layer : model.layers) {
    if (CheckApplies(needs, "", model, layer).ok()) {
      layers.push_back(layer.name);
    }
  }
  return layers;
}

}  // namespace saliency
