// Which activation a model ends in: softmax, sigmoid or the logarithm of one,
// as the operator that made the chosen output, behind views, casts and whatever
// else keeps numbers probabilities; or else the bounds that its last operators
// set to the output (value_range.h).
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_END_ACTIVATION_H_
#define SALIENCY_CORE_MODEL_GRAPH_END_ACTIVATION_H_

#include <optional>
#include <string>

#include "core/model/graph/marked_graph.h"
#include "core/model/output_meaning.h"

namespace saliency {

// `index` and `key` pick the output as in SelectOutput.  kNone also where the
// graph does not tell: outputs chosen by control flow, lists that grow.
EndActivation FindEndActivation(const MarkedGraph& marked,
                                std::optional<int> index,
                                const std::string& key);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_END_ACTIVATION_H_
