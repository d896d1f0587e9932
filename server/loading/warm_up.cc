#include "server/loading/warm_up.h"

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/attribution/registry.h"
#include "core/base/status.h"
#include "core/engine/inputs_rule.h"
#include "server/convert/convert_parts.h"

namespace saliency {
namespace {

// What a request that names no method and no layers asks: plans are kept by the
// layers that they look at.
std::vector<PassAttribution> DefaultMethodAt(
    const std::vector<std::string>& layers) {
  std::vector<PassAttribution> attributions;
  attributions.reserve(layers.size());
  for (const std::string& layer : layers) {
    attributions.push_back({DefaultAttribution(), layer});
  }
  return attributions;
}

bool IsFinite(const at::Tensor& values) {
  return !values.defined() || values.isfinite().all().item<bool>();
}

absl::Status CheckAnswer(const PassItem& item, const PassAnswer& answer) {
  if (!IsFinite(answer.logits)) {
    return absl::FailedPreconditionError(
        "warm-up: the model's output for a random image is not finite");
  }
  const std::vector<PassAttribution>& wanted =
      item.variants.front().attributions;
  const VariantAnswer& made = answer.variants.front();
  for (size_t i = 0; i < made.maps.size(); ++i) {
    const PassAttribution& asked = wanted[i % wanted.size()];
    const std::string what =
        absl::StrCat("warm-up of ", asked.attribution.name(), " at layer \"",
                     asked.layer, "\"");
    const absl::StatusOr<at::Tensor>& map = made.maps[i];
    // Another image's pass may come by the layer.
    if (absl::IsFailedPrecondition(map.status())) continue;
    RETURN_IF_ERROR(Annotate(map.status(), what));
    if (IsFinite(*map)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": the map has values that are not finite"));
  }
  return absl::OkStatus();
}

// Does not move the process's own generator.
at::Tensor RandomInput(int64_t images, const InputConfig& input) {
  auto generator = at::detail::createCPUGenerator(/*seed=*/20200616);
  return at::randn({images, input.channels, input.height, input.width},
                   generator);
}

absl::StatusOr<PassAnswer> Ask(const ModelMetadata& metadata, int64_t images,
                               std::vector<PassAttribution> attributions,
                               Explainer& explainer) {
  const PassItem item = {
      .input = RandomInput(images, metadata.config.input),
      .targets = {RankFromTop{}},
      .score = metadata.num_classes == 1 ? Score::kScalarOutput : Score::kLogit,
      .variants = {{.attributions = std::move(attributions)}}};
  const PassItem* const items[] = {&item};
  absl::StatusOr<PassAnswers> answers = explainer.Explain(items);
  if (!answers.ok()) return Annotate(answers.status(), "warm-up");
  RETURN_IF_ERROR(CheckAnswer(item, answers->items.front()));
  return std::move(answers->items.front());
}

// The first layer may be one that the explained output does not depend on: only
// when no gradient reaches the image either is there nothing to explain.
absl::Status CheckGradients(const ModelMetadata& metadata,
                            const std::vector<PassAttribution>& asked,
                            const PassAnswer& answer, Explainer& explainer) {
  const VariantAnswer& made = answer.variants.front();
  bool any_reached = made.warnings.empty();
  for (size_t i = 0; i < made.warnings.size(); ++i) {
    const bool wants_gradient =
        RuleOf(asked[i].attribution.method_inputs()).needs_gradient;
    any_reached |=
        wants_gradient && made.maps[i].ok() && made.warnings[i].empty();
  }
  if (any_reached) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Attribution gradient, Attribution::Named("gradient"));
  ASSIGN_OR_RETURN(const PassAnswer at_input,
                   Ask(metadata, 1, {{gradient, "input"}}, explainer));
  const std::vector<std::string>& warnings = at_input.variants.front().warnings;
  if (warnings.empty() || warnings.front().empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("warm-up: ", warnings.front(),
                   " (warm_up: false in config.pbtxt serves it all the same)"));
}

}  // namespace

std::vector<PassAttribution> WarmUpAttributions(const ModelMetadata& metadata) {
  std::map<MethodInputs, const Method*> families;
  for (const Method* method : AllMethods()) {
    // A rule's plan is made when it is first asked for.
    if (!method->rule.is_gradient()) continue;
    families.try_emplace(method->method_inputs, method);
  }
  std::vector<PassAttribution> attributions;
  for (const auto& [method_inputs, method] : families) {
    const absl::StatusOr<Attribution> attribution =
        Attribution::Named(method->name);
    if (!attribution.ok()) continue;
    if (method_inputs == MethodInputs::kActivationAndGradient) {
      for (const std::string& layer : metadata.config.default_layers) {
        attributions.push_back({*attribution, layer});
      }
      continue;
    }
    const std::vector<std::string> layers =
        LayersFor({.inputs = method_inputs}, metadata);
    if (layers.empty()) continue;
    attributions.push_back({*attribution, layers.back()});  // the deepest
  }
  return attributions;
}

absl::Status WarmUp(const ModelMetadata& metadata, Explainer& explainer) {
  const std::vector<PassAttribution> attributions =
      WarmUpAttributions(metadata);
  ASSIGN_OR_RETURN(const PassAnswer answer,
                   Ask(metadata, 1, attributions, explainer));
  RETURN_IF_ERROR(CheckGradients(metadata, attributions, answer, explainer));
  for (const auto* layers :
       {&metadata.config.default_layers, &metadata.config.combine_layers}) {
    if (layers->empty()) continue;
    RETURN_IF_ERROR(
        Ask(metadata, 1, DefaultMethodAt(*layers), explainer).status());
  }
  const int64_t largest = metadata.self_check.rows_independent
                              ? metadata.config.batching.max_rows
                              : 1;
  if (largest == 1) return absl::OkStatus();
  return Ask(metadata, largest, attributions, explainer).status();
}

}  // namespace saliency
