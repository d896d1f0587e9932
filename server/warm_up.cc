#include "server/warm_up.h"

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/attribution/registry.h"
#include "core/base/status.h"

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

absl::Status CheckMaps(const PassItem& item, const PassAnswer& answer) {
  for (size_t i = 0; i < answer.maps.size(); ++i) {
    const PassAttribution& asked =
        item.attributions[i % item.attributions.size()];
    RETURN_IF_ERROR(
        Annotate(answer.maps[i].status(),
                 absl::StrCat("warm-up of ", asked.attribution.name(),
                              " at layer \"", asked.layer, "\"")));
  }
  return absl::OkStatus();
}

absl::Status Explain(const ModelFacts& facts, int64_t pictures,
                     Explainer& explainer) {
  const InputConfig& input = facts.config.input;
  const PassItem item = {
      .input = at::zeros({pictures, 3, input.height, input.width}),
      .targets = {RankFromTop{}},
      .score = facts.num_classes == 1 ? Score::kScalarOutput : Score::kLogit,
      .attributions = WarmUpAttributions(facts)};
  const PassItem* const items[] = {&item};
  absl::StatusOr<PassAnswers> answers = explainer.Explain(items);
  if (!answers.ok()) return Annotate(answers.status(), "warm-up");
  return CheckMaps(item, answers->items.front());
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
  RETURN_IF_ERROR(Explain(facts, 1, explainer));
  const int64_t largest =
      facts.self_check.rows_independent ? facts.config.batching.max_rows : 1;
  return largest == 1 ? absl::OkStatus() : Explain(facts, largest, explainer);
}

}  // namespace saliency
