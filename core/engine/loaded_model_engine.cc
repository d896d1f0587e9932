// Kept apart from engine.cc, so that what needs no TorchScript model links
// without one.

#include <memory>
#include <utility>
#include <vector>

#include "core/engine/engine.h"
#include "core/engine/model_facts.h"
#include "core/engine/pass_explainer.h"

namespace saliency {

ModelFacts FactsOf(const LoadedModel& model) {
  const ProbedModel& replica = *model.replicas.front();
  ModelFacts facts = {
      .name = model.name,
      .version = model.version,
      .config = model.config,
      .labels = model.labels,
      .layers = {replica.layers().begin(), replica.layers().end()},
      .num_classes = replica.num_classes(),
      .meaning = replica.meaning(),
      .layer_weights = model.layer_weights,
      .self_check = replica.self_check(),
      .output = replica.output(),
      .check = replica.check(),
      .meta_path = replica.meta_path(),
      .meta_refusal = replica.meta_refusal(),
      .device = replica.device()};
  if (replica.linear_head().has_value()) {
    facts.head_layers = replica.linear_head()->layers;
  }
  return facts;
}

void Engine::AddModel(std::shared_ptr<LoadedModel> model) {
  ModelFacts facts = FactsOf(*model);
  const int64_t max_rows =
      facts.self_check.rows_independent ? facts.config.batching.max_rows : 1;
  std::vector<std::unique_ptr<Explainer>> explainers;
  for (const std::unique_ptr<ProbedModel>& replica : model->replicas) {
    explainers.push_back(std::make_unique<PassExplainer>(
        *replica, PassExplainer::Options{.max_rows = max_rows}));
  }
  AddModel(std::move(facts), std::move(explainers), std::move(model));
}

}  // namespace saliency
