#include "core/model/describe_layers.h"

#include <cstddef>
#include <utility>

#include "core/model/graph/graph_facts.h"
#include "core/model/graph/layer_notes.h"
#include "core/model/graph/weighted_path.h"

namespace saliency {

std::vector<LayerInfo> DescribeLayers(const ProbedNetwork& network,
                                      const NetworkCheck& check,
                                      const std::vector<int>& ids) {
  const std::vector<MarkPlace> places = MarkPlaces(network.marked());
  const auto convs = ConvLayers(network.marked());
  const auto batch_norms = BatchNormLayers(network.marked());
  const std::vector<bool> before_weights = FindBeforeWeights(network.marked());
  const std::vector<bool> behind_weights = FindBehindWeights(network.marked());
  std::vector<LayerInfo> layers;
  for (const int id : ids) {
    const Mark& mark = network.marked().marks[id];
    LayerInfo layer;
    layer.name = mark.probe.layer;
    layer.kind = mark.kind;
    const TensorForm& form = check.tensors[id];
    layer.no_maps_because = form.no_maps_because;
    for (size_t axis = 1; axis < form.sizes.size(); ++axis) {
      const bool turned = layer.no_maps_because.empty();
      layer.shape.push_back(form.sizes[turned ? form.axes[axis] : axis]);
    }
    layer.is_cut = network.cuts()[id] && form.by_row;
    layer.before_weights = before_weights[id];
    layer.behind_weights = behind_weights[id];
    if (const auto it = convs.find(layer.name); it != convs.end()) {
      layer.conv = it->second;
    }
    if (const auto it = batch_norms.find(layer.name); it != batch_norms.end()) {
      layer.batch_norm = it->second;
    }
    layer.in_every_pass = !places[id].in_loop && !places[id].in_branch;
    layer.has_gradient = network.gradient_ends()[id].empty();
    layer.note = LayerNote(places[id], network.gradient_ends()[id]);
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace saliency
