#include "server/warm_up.h"

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/attribution/registry.h"
#include "core/base/status.h"
#include "server/convert_parts.h"

namespace saliency {
namespace {

// The deepest layer that gives `evidence`.
std::optional<std::string> LayerFor(Evidence evidence,
                                    const ModelFacts& facts) {
  if (evidence == Evidence::kActivationAndHead) {
    if (facts.head_layers.empty()) return std::nullopt;
    return facts.head_layers.front();
  }
  std::optional<std::string> deepest;
  for (const LayerInfo& layer : facts.layers) {
    const bool gives = evidence == Evidence::kRealConv
                           ? layer.conv.has_value()
                           : layer.batch_norm.has_value();
    if (layer.spatial() && gives) deepest = layer.name;
  }
  return deepest;
}

// What a request that names no method and no layers asks: plans are kept by the
// layers that they look at.
std::vector<PassAttribution> DefaultMethodAt(
    const std::vector<std::string>& layers) {
  std::vector<PassAttribution> attributions;
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
        "warm-up: the model's output for a random picture is not finite");
  }
  for (size_t i = 0; i < answer.maps.size(); ++i) {
    const PassAttribution& asked =
        item.attributions[i % item.attributions.size()];
    const std::string what =
        absl::StrCat("warm-up of ", asked.attribution.name(), " at layer \"",
                     asked.layer, "\"");
    const absl::StatusOr<at::Tensor>& map = answer.maps[i];
    // Another picture's pass may come by the layer.
    if (absl::IsFailedPrecondition(map.status())) continue;
    RETURN_IF_ERROR(Annotate(map.status(), what));
    if (IsFinite(*map)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": the map has values that are not finite"));
  }
  return absl::OkStatus();
}

// Does not move the process's own generator.
at::Tensor RandomInput(int64_t pictures, const InputConfig& input) {
  auto generator = at::detail::createCPUGenerator(/*seed=*/20200616);
  return at::randn({pictures, 3, input.height, input.width}, generator);
}

absl::StatusOr<PassAnswer> Ask(const ModelFacts& facts, int64_t pictures,
                               std::vector<PassAttribution> attributions,
                               Explainer& explainer) {
  const PassItem item = {
      .input = RandomInput(pictures, facts.config.input),
      .targets = {RankFromTop{}},
      .score = facts.num_classes == 1 ? Score::kScalarOutput : Score::kLogit,
      .attributions = std::move(attributions)};
  const PassItem* const items[] = {&item};
  absl::StatusOr<PassAnswers> answers = explainer.Explain(items);
  if (!answers.ok()) return Annotate(answers.status(), "warm-up");
  RETURN_IF_ERROR(CheckAnswer(item, answers->items.front()));
  return std::move(answers->items.front());
}

// The first layer may be one that the explained output does not depend on: only
// when no gradient reaches the picture either is there nothing to explain.
absl::Status CheckGradients(const ModelFacts& facts,
                            const std::vector<PassAttribution>& asked,
                            const PassAnswer& answer, Explainer& explainer) {
  bool any_reached = answer.warnings.empty();
  for (size_t i = 0; i < answer.warnings.size(); ++i) {
    const bool wants_gradient =
        asked[i].attribution.evidence() != Evidence::kActivationAndHead;
    any_reached |=
        wants_gradient && answer.maps[i].ok() && answer.warnings[i].empty();
  }
  if (any_reached) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Attribution gradient, Attribution::Named("gradient"));
  ASSIGN_OR_RETURN(const PassAnswer at_input,
                   Ask(facts, 1, {{gradient, "input"}}, explainer));
  if (at_input.warnings.empty() || at_input.warnings.front().empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("warm-up: ", at_input.warnings.front(),
                   " (warm_up: false in config.pbtxt serves it all the same)"));
}

}  // namespace

std::vector<PassAttribution> WarmUpAttributions(const ModelFacts& facts) {
  std::map<Evidence, const Method*> families;
  for (const Method* method : AllMethods()) {
    families.try_emplace(method->evidence, method);
  }
  std::vector<PassAttribution> attributions;
  for (const auto& [evidence, method] : families) {
    const absl::StatusOr<Attribution> attribution =
        Attribution::Named(method->name);
    if (!attribution.ok()) continue;
    if (evidence == Evidence::kActivationAndGradient) {
      for (const std::string& layer : facts.config.default_layers) {
        attributions.push_back({*attribution, layer});
      }
    } else if (const auto layer = LayerFor(evidence, facts);
               layer.has_value()) {
      attributions.push_back({*attribution, *layer});
    }
  }
  return attributions;
}

absl::Status WarmUp(const ModelFacts& facts, Explainer& explainer) {
  const std::vector<PassAttribution> attributions = WarmUpAttributions(facts);
  ASSIGN_OR_RETURN(const PassAnswer answer,
                   Ask(facts, 1, attributions, explainer));
  RETURN_IF_ERROR(CheckGradients(facts, attributions, answer, explainer));
  for (const auto* layers :
       {&facts.config.default_layers, &facts.config.combine_layers}) {
    if (layers->empty()) continue;
    RETURN_IF_ERROR(
        Ask(facts, 1, DefaultMethodAt(*layers), explainer).status());
  }
  const int64_t largest =
      facts.self_check.rows_independent ? facts.config.batching.max_rows : 1;
  if (largest == 1) return absl::OkStatus();
  return Ask(facts, largest, attributions, explainer).status();
}

}  // namespace saliency
