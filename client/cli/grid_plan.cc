#include "client/cli/grid_plan.h"

#include <algorithm>

namespace saliency {
namespace {

bool IsSpatial(const v1::Layer& layer) {
  return layer.name() != "input" && layer.no_maps_because().empty() &&
         layer.shape_size() == 3 && layer.shape(1) * layer.shape(2) > 1;
}

bool SameResolution(const v1::Layer& a, const v1::Layer& b) {
  return a.shape(1) == b.shape(1) && a.shape(2) == b.shape(2);
}

// The last layer of each resolution, in the order in which the resolutions
// first appear.
std::vector<const v1::Layer*> LastOfEachResolution(
    const v1::GetModelResponse& model, bool cuts_only) {
  std::vector<const v1::Layer*> found;
  for (const v1::Layer& layer : model.layers()) {
    if (!IsSpatial(layer) || (cuts_only && !layer.is_cut())) continue;
    const auto same = std::find_if(
        found.begin(), found.end(),
        [&](const v1::Layer* other) { return SameResolution(layer, *other); });
    if (same != found.end()) {
      *same = &layer;
    } else {
      found.push_back(&layer);
    }
  }
  return found;
}

}  // namespace

std::vector<std::string> GridLayers(const v1::GetModelResponse& model,
                                    size_t max_layers) {
  const v1::ModelConfig& config = model.config();
  if (!config.combine_layers().empty()) {
    return {config.combine_layers().begin(), config.combine_layers().end()};
  }
  std::vector<const v1::Layer*> found =
      LastOfEachResolution(model, /*cuts_only=*/true);
  if (found.empty()) found = LastOfEachResolution(model, /*cuts_only=*/false);
  if (found.empty()) {
    return {config.default_layers().begin(), config.default_layers().end()};
  }
  std::vector<std::string> names;
  for (size_t i = found.size() - std::min(found.size(), max_layers);
       i < found.size(); ++i) {
    names.push_back(found[i]->name());
  }
  return names;
}

std::vector<std::string> GridMethods(const v1::GetModelResponse& model) {
  std::vector<std::string> names;
  for (const char* wanted : {"gradient", "linear_approximation", "norm_grad",
                             "selective_norm_grad", "grad_cam"}) {
    if (std::any_of(
            model.methods().begin(), model.methods().end(),
            [&](const v1::Method& known) { return known.name() == wanted; })) {
      names.emplace_back(wanted);
    }
  }
  return names;
}

}  // namespace saliency
