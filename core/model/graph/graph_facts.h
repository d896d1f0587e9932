// What a marked graph says about its layers: real convolutions and batch norms,
// cuts, and the linear head behind a global average pool.
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_GRAPH_FACTS_H_
#define SALIENCY_CORE_MODEL_GRAPH_GRAPH_FACTS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/attribution/layer_record.h"
#include "core/model/graph/marked_graph.h"
#include "core/model/probed_model.h"

namespace torch::jit {
struct Node;
}  // namespace torch::jit

namespace saliency {

// The geometry of a 2-d convolution whose weight is an attribute and whose
// sizes are constants; nullopt for anything else, transposed ones among it.
// REQUIRES: `node` is a convolution of `marked`.
std::optional<ConvGeometry> ReadConv(const MarkedGraph& marked,
                                     const torch::jit::Node* node);

// The eps of a batch norm that is in eval mode by constants; nullopt for one
// that is not.
// REQUIRES: `node` is aten::batch_norm, whose inputs are (x, weight, bias,
// mean, variance, training, momentum, eps, cudnn).
std::optional<double> EvalBatchNormEps(const torch::jit::Node* node);

// Adds a mark of Side::kInput before every convolution and batch norm whose
// result is a marked layer.
void MarkLayerInputs(MarkedGraph& marked);

// By the name of the layer that returns the convolution's (batch norm's)
// result.
std::map<std::string, ConvGeometry> ConvLayers(const MarkedGraph& marked);
std::map<std::string, BatchNormStatistics> BatchNormLayers(
    const MarkedGraph& marked);

// cuts[id]: every path from the image to the output crosses mark id's tensor,
// sizes read off tensors included.
std::vector<bool> FindCuts(const MarkedGraph& marked);

// Where the marks are: positions[id] grows along the graph, through the inner
// blocks of each If or Loop where it stands; -1 when the mark is gone.
std::vector<int> MarkPositions(const MarkedGraph& marked);

// `output_index` picks the logits out of a tuple.
std::optional<LinearHead> FindLinearHead(const MarkedGraph& marked,
                                         std::optional<int> output_index);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_GRAPH_FACTS_H_
