#include "core/engine/model_metadata.h"

#include <string>
#include <utility>

#include "core/attribution/registry.h"

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
  for (const Method* method : AllMethods()) {
    std::string refusal = replica.RuleRefusal(method->rule);
    if (refusal.empty()) continue;
    metadata.rule_refusals[method->rule.kind] = std::move(refusal);
  }
  if (replica.linear_head().has_value()) {
    metadata.head_layers = replica.linear_head()->layers;
  }
  return metadata;
}

}  // namespace saliency
