#include "core/serving/default_layers.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr char kInput[] = "input";

bool IsCandidate(const LayerInfo& layer) {
  return layer.spatial() && layer.name != kInput && layer.behind_weights &&
         layer.in_every_pass && layer.has_gradient &&
         layer.shape[1] * layer.shape[2] > 1 &&
         !absl::StrContains(layer.kind, "AvgPool") &&
         !absl::StrContains(layer.kind, "Dropout");
}

// By ascending depth.  A map of class scores, behind all weights, counts where
// there is nothing else.
std::vector<const LayerInfo*> Candidates(absl::Span<const LayerInfo> layers) {
  std::vector<const LayerInfo*> all;
  std::vector<const LayerInfo*> before_weights;
  for (const LayerInfo& layer : layers) {
    if (!IsCandidate(layer)) continue;
    all.push_back(&layer);
    if (layer.before_weights) before_weights.push_back(&layer);
  }
  return before_weights.empty() ? all : before_weights;
}

absl::Status CheckLayer(absl::string_view field, const std::string& name,
                        absl::Span<const LayerInfo> layers) {
  const auto it =
      std::find_if(layers.begin(), layers.end(),
                   [&](const LayerInfo& layer) { return layer.name == name; });
  if (it == layers.end()) {
    std::vector<std::string> known;
    for (const LayerInfo& layer : layers) known.push_back(layer.name);
    return absl::NotFoundError(
        absl::StrCat(field, ": ", NotFoundMessage("layer", name, known)));
  }
  if (it->spatial()) return absl::OkStatus();
  if (!it->no_maps_because.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": there are no maps of layer \"", name,
                     "\": ", it->no_maps_because));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": layer \"", name, "\" has shape [",
      absl::StrJoin(it->shape, ","), "], not the [K,H,W] of a spatial layer"));
}

absl::Status CheckLayers(absl::string_view field,
                         const std::vector<std::string>& names,
                         absl::Span<const LayerInfo> layers) {
  for (size_t i = 0; i < names.size(); ++i) {
    RETURN_IF_ERROR(
        CheckLayer(absl::StrCat(field, "[", i, "]"), names[i], layers));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> StageEnds(absl::Span<const LayerInfo> layers) {
  std::vector<const LayerInfo*> ends;
  for (const LayerInfo* layer : Candidates(layers)) {
    const auto same_size = [&](const LayerInfo* end) {
      return end->shape[1] == layer->shape[1] &&
             end->shape[2] == layer->shape[2];
    };
    const auto known = std::find_if(ends.begin(), ends.end(), same_size);
    // A branch of the trunk does not follow it.
    if (known != ends.end() && (*known)->is_cut && !layer->is_cut) continue;
    std::erase_if(ends, same_size);
    ends.push_back(layer);
  }
  std::sort(ends.begin(), ends.end());  // in the order of the network
  std::vector<std::string> names;
  for (const LayerInfo* end : ends) names.push_back(end->name);
  return names;
}

std::vector<std::string> LastSpatialLayer(absl::Span<const LayerInfo> layers) {
  const std::vector<std::string> ends = StageEnds(layers);
  if (ends.empty()) return {};
  return {ends.back()};
}

absl::Status FillDefaultLayers(absl::Span<const LayerInfo> layers,
                               ModelConfig& config) {
  RETURN_IF_ERROR(CheckLayers("config.pbtxt: default_layers",
                              config.default_layers, layers));
  RETURN_IF_ERROR(CheckLayers("config.pbtxt: combine_layers",
                              config.combine_layers, layers));
  if (config.default_layers.empty()) {
    config.default_layers = LastSpatialLayer(layers);
  }
  if (config.default_layers.empty()) config.default_layers = {kInput};
  if (config.combine_layers.empty()) config.combine_layers = StageEnds(layers);
  return absl::OkStatus();
}

}  // namespace saliency
