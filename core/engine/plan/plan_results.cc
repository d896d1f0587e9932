#include "core/engine/plan/plan_results.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/engine/inputs_rule.h"
#include "core/engine/plan/plan_combinations.h"

namespace saliency {
namespace {

absl::StatusOr<const LayerInfo*> FindLayer(const ModelMetadata& model,
                                           const std::string& name,
                                           bool with_near_names = true) {
  for (const LayerInfo& layer : model.layers) {
    if (layer.name == name) return &layer;
  }
  std::vector<std::string> known;
  if (with_near_names) {
    known.reserve(model.layers.size());
    for (const LayerInfo& layer : model.layers) known.push_back(layer.name);
  }
  return absl::NotFoundError(NotFoundMessage("layer", name, known));
}

absl::Status CheckLayerNames(const std::vector<std::string>& layers,
                             std::size_t index) {
  if (layers.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("attributions[", index,
                     "].layers is empty and the model has no default layers"));
  }
  std::set<std::string> seen;
  for (const std::string& layer : layers) {
    if (!seen.insert(layer).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("attributions[", index, "].layers names \"",
                       Printable(layer), "\" twice"));
    }
  }
  return absl::OkStatus();
}

// Where the pass holds this map: it is made once, however often asked for.
int PassIndex(const Attribution& attribution, const std::string& layer,
              std::vector<PassAttribution>& pass) {
  const auto found =
      std::find_if(pass.begin(), pass.end(), [&](const PassAttribution& p) {
        return p.layer == layer && p.attribution == attribution;
      });
  const auto index = static_cast<int>(found - pass.begin());
  if (found == pass.end()) {
    pass.push_back({.attribution = attribution, .layer = layer});
  }
  return index;
}

// The number of the variant that runs this, which is made once.
int VariantFor(const FurtherPass& wanted, ResultPlan& plan) {
  const auto found = std::find_if(
      plan.further.begin(), plan.further.end(), [&](const FurtherPass& pass) {
        return pass.rule == wanted.rule && pass.sampling == wanted.sampling &&
               pass.baseline == wanted.baseline;
      });
  const auto index = static_cast<int>(found - plan.further.begin());
  if (found == plan.further.end()) plan.further.push_back(wanted);
  return 1 + index;
}

// Channels are known now that the layer is; the first pass records them.
void PlaceScoreCam(const Attribution& attribution, const LayerInfo& layer,
                   ResultPlan& plan, PlannedResult& result) {
  const FurtherPass pass = {
      .sampling =
          ScoreCam{.layer = layer.name, .channels = layer.shape.front()},
      .mask_source =
          PassIndex(Attribution::ScoreCamActivation(), layer.name, plan.pass)};
  result.variant = VariantFor(pass, plan);
  result.pass_index = PassIndex(attribution, result.layer,
                                plan.further[result.variant - 1].attributions);
  result.kept_values = layer.shape.front() * result.layer_pixels;
}

// Where the pass makes the map of `result`.
void PlacePass(const Attribution& attribution, const LayerInfo& layer,
               ResultPlan& plan, PlannedResult& result) {
  const std::optional<Sampling>& sampling = attribution.sampling();
  if (!sampling.has_value() && attribution.rule().is_gradient()) {
    result.pass_index = PassIndex(attribution, result.layer, plan.pass);
    return;
  }
  if (sampling.has_value() && std::holds_alternative<ScoreCam>(*sampling)) {
    return PlaceScoreCam(attribution, layer, plan, result);
  }
  const FurtherPass pass = {.rule = attribution.rule(), .sampling = sampling};
  result.variant = VariantFor(pass, plan);
  result.pass_index = PassIndex(attribution, result.layer,
                                plan.further[result.variant - 1].attributions);
  if (sampling.has_value() &&
      std::holds_alternative<IntegratedGradients>(*sampling)) {
    result.baseline_variant =
        VariantFor({.sampling = sampling, .baseline = true}, plan);
  }
}

// Where the pass makes the map that the one of `result` is multiplied by.
void PlaceFactor(const Attribution& factor, const ModelMetadata& model,
                 ResultPlan& plan, PlannedResult& result) {
  const LayerInfo& input = model.layers.front();
  PlannedResult placed = {.layer = input.name};
  PlacePass(factor, input, plan, placed);
  result.factor_variant = placed.variant;
  result.factor_pass_index = placed.pass_index;
  result.layer_pixels = input.shape[1] * input.shape[2];
}

// Puts the variants with samples last.  When no map is of the derivative, one
// by another rule comes first: it gives the same scores, and a pass is spared.
void OrderVariants(const Job& job, ResultPlan& plan) {
  std::vector<int> order(plan.further.size());
  std::iota(order.begin(), order.end(), 0);
  const auto samples = std::stable_partition(
      order.begin(), order.end(),
      [&](int i) { return !plan.further[i].sampling.has_value(); });
  const bool takes_first = plan.pass.empty() && samples != order.begin() &&
                           job.pooled_layers.empty();
  std::vector<int> number(1 + plan.further.size(), 0);  // by the old one
  std::vector<FurtherPass> further;
  for (const int i : order) {
    FurtherPass& pass = plan.further[i];
    if (takes_first && i == order.front()) {
      plan.rule = pass.rule;
      plan.pass = std::move(pass.attributions);
      continue;
    }
    further.push_back(std::move(pass));
    number[1 + i] = static_cast<int>(further.size());
  }
  plan.further = std::move(further);
  for (auto* results : {&plan.results, &plan.layer_results}) {
    for (PlannedResult& result : *results) {
      result.variant = number[result.variant];
      for (int* other : {&result.factor_variant, &result.baseline_variant}) {
        if (*other >= 0) *other = number[*other];
      }
    }
  }
}

// Errors: INVALID_ARGUMENT a step is taken at the image itself, by the loss's
//   own gradient.
absl::Status CheckStep(const Job& job, const Attribution& attribution) {
  if (!job.meta.has_value() || !attribution.sampling().has_value()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("method \"", attribution.name(),
                   "\" varies the input and is not offered after a meta step, "
                   "which is taken at the image itself"));
}

// Errors: INVALID_ARGUMENT relevance and probabilities go out from a logit, or
//   from the only output.
absl::Status CheckScoreKind(const Job& job, const Attribution& attribution) {
  const MethodInputs inputs = attribution.method_inputs();
  const bool is_bound =
      inputs == MethodInputs::kExcitation || inputs == MethodInputs::kRelevance;
  if (!is_bound || job.score == Score::kLogit ||
      job.score == Score::kScalarOutput) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("method \"", attribution.name(),
                   "\" is defined for scores LOGIT and SCALAR_OUTPUT alone"));
}

int CountFailures(const ResultPlan& plan) {
  const auto failed = [](const PlannedResult& r) { return !r.status.ok(); };
  return static_cast<int>(
      std::count_if(plan.results.begin(), plan.results.end(), failed) +
      std::count_if(plan.layer_results.begin(), plan.layer_results.end(),
                    failed));
}

PlannedResult PlanOne(const Job& job, const ModelMetadata& model,
                      const Attribution& attribution, const std::string& layer,
                      ResultPlan& plan) {
  PlannedResult result = {.method = attribution.name(),
                          .layer = layer,
                          .is_signed = attribution.is_signed()};
  const absl::StatusOr<const LayerInfo*> info =
      FindLayer(model, layer, CountFailures(plan) < kFailuresWithNearNames);
  result.status = info.ok() ? CheckApplies(NeedsOf(attribution), result.method,
                                           model, **info)
                            : info.status();
  if (result.status.ok()) result.status = CheckStep(job, attribution);
  if (result.status.ok()) result.status = CheckScoreKind(job, attribution);
  if (!result.status.ok()) return result;
  result.layer_pixels = (*info)->shape[1] * (*info)->shape[2];
  PlacePass(attribution, **info, plan, result);
  if (const std::optional<Attribution> factor = attribution.input_factor()) {
    PlaceFactor(*factor, model, plan, result);
  }
  return result;
}

const std::vector<std::string>& LayersOf(const JobAttribution& attribution,
                                         const ModelMetadata& model) {
  static const auto* const input = new std::vector<std::string>{"input"};
  const MethodInputs inputs = attribution.attribution.method_inputs();
  const bool is_of_input = inputs == MethodInputs::kInputAndGradient ||
                           inputs == MethodInputs::kScore;
  if (attribution.layers.empty() && is_of_input) return *input;
  return attribution.layers.empty() ? model.config.default_layers
                                    : attribution.layers;
}

absl::Status CheckCounts(const Job& job, const ModelMetadata& model,
                         const EngineLimits& limits) {
  const std::size_t count = job.attributions.size();
  const bool none =
      count == 0 && job.combinations.empty() && job.pooled_layers.empty();
  if (none || count > static_cast<std::size_t>(limits.max_attributions)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "attributions: ", count, " not in [1, ", limits.max_attributions, "]"));
  }
  std::size_t layers = CountCombinedLayers(job, model.config.combine_layers) +
                       job.pooled_layers.size();
  for (std::size_t i = 0; i < count; ++i) {
    layers += LayersOf(job.attributions[i], model).size();
  }
  if (layers > static_cast<std::size_t>(limits.max_layers)) {
    return absl::InvalidArgumentError(absl::StrCat(
        job.combinations.empty() ? "attributions: " : "combinations: ", layers,
        " layers in all, of at most ", limits.max_layers));
  }
  return absl::OkStatus();
}

bool AnyResult(const ResultPlan& plan) {
  const auto is_ok = [](const auto& planned) { return planned.status.ok(); };
  return std::any_of(plan.results.begin(), plan.results.end(), is_ok) ||
         std::any_of(plan.combinations.begin(), plan.combinations.end(), is_ok);
}

// Why results cannot be had.
void AddFailures(const ResultPlan& plan, Violations& found) {
  for (const PlannedResult& result : plan.results) {
    found.Add(Annotate(result.status,
                       absl::StrCat("attributions[", result.attribution, "]")));
  }
  for (const PlannedResult& layer : plan.layer_results) {
    found.Add(Annotate(layer.status,
                       absl::StrCat("combinations[", layer.attribution, "]")));
  }
  for (const PlannedCombination& combination : plan.combinations) {
    found.Add(
        Annotate(combination.status,
                 absl::StrCat("combinations[", combination.combination, "]")));
  }
}

}  // namespace

absl::Status CheckSpatialLayer(const ModelMetadata& model,
                               const std::string& layer) {
  ASSIGN_OR_RETURN(const LayerInfo* info, FindLayer(model, layer));
  return CheckSpatial(*info);
}

ResultPlan PlanResults(const Job& job, const ModelMetadata& model,
                       const EngineLimits& limits, Violations& found) {
  ResultPlan plan;
  const absl::Status counts = CheckCounts(job, model, limits);
  found.Add(counts);
  if (!counts.ok()) return plan;
  for (std::size_t i = 0; i < job.attributions.size(); ++i) {
    const std::vector<std::string>& layers =
        LayersOf(job.attributions[i], model);
    found.Add(CheckLayerNames(layers, i));
    for (const std::string& layer : layers) {
      PlannedResult result =
          PlanOne(job, model, job.attributions[i].attribution, layer, plan);
      result.attribution = static_cast<int>(i);
      plan.results.push_back(std::move(result));
    }
  }
  const auto plan_layer = [&](const JobCombination& combination,
                              const std::string& layer) {
    return PlanOne(job, model, *combination.attribution, layer, plan);
  };
  PlanCombinations(job,
                   {.default_layers = model.config.combine_layers,
                    .calibrated = &model.layer_weights,
                    .plan_layer = plan_layer},
                   limits, plan, found);
  OrderVariants(job, plan);
  for (std::size_t i = 0; i < job.pooled_layers.size(); ++i) {
    found.Add(Annotate(CheckSpatialLayer(model, job.pooled_layers[i]),
                       absl::StrCat("pooled_layers[", i, "]")));
  }
  // Among others a result that cannot be had is no fault of the request; but
  // when it is refused anyway its caller hears of that too.
  const bool none = job.pooled_layers.empty() && !AnyResult(plan);
  if (none || !found.empty()) AddFailures(plan, found);
  return plan;
}

}  // namespace saliency
