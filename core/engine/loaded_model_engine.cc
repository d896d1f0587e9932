// Kept apart from engine.cc, so that what needs no TorchScript model links
// without one.

#include <memory>
#include <utility>
#include <vector>

#include "core/engine/engine.h"
#include "core/engine/model_metadata.h"
#include "core/engine/run/pass_explainer.h"

namespace saliency {

ModelMetadata MetadataOf(const LoadedModel& model) {
  const ProbedModel& replica = *model.replicas.front();
  ModelMetadata metadata = {
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
    metadata.head_layers = replica.linear_head()->layers;
  }
  return metadata;
}

void Engine::AddModel(std::shared_ptr<LoadedModel> model) {
  ModelMetadata metadata = MetadataOf(*model);
  const int64_t max_rows = metadata.self_check.rows_independent
                               ? metadata.config.batching.max_rows
                               : 1;
  std::vector<std::unique_ptr<Explainer>> explainers;
  for (const std::unique_ptr<ProbedModel>& replica : model->replicas) {
    explainers.push_back(std::make_unique<PassExplainer>(
        *replica, PassExplainer::Options{.max_rows = max_rows}));
  }
  AddModel(std::move(metadata), std::move(explainers), std::move(model));
}

}  // namespace saliency
