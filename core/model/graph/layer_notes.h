// What is to be known of a layer before it is asked for.
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_LAYER_NOTES_H_
#define SALIENCY_CORE_MODEL_GRAPH_LAYER_NOTES_H_

#include <string>
#include <vector>

#include "core/model/graph/marked_graph.h"

namespace saliency {

// Control flow that is left around a mark, since it depends on the input.
struct MarkPlace {
  bool in_loop = false;    // its tensor may be made again and again
  bool in_branch = false;  // or not at all
};

// By mark id.
std::vector<MarkPlace> MarkPlaces(const MarkedGraph& marked);

// One sentence for each peculiarity, `gradient_end` among them (see
// GradientEnds); empty for most layers.
std::string LayerNote(const MarkPlace& place, const std::string& gradient_end);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_LAYER_NOTES_H_
