// Where on the way from the image to the output the weights are.  A layer
// behind none of them is the image still (a resize, a normalisation); one that
// no more of them follow is a map of class scores.
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_WEIGHTED_PATH_H_
#define SALIENCY_CORE_MODEL_GRAPH_WEIGHTED_PATH_H_

#include <vector>

#include "core/model/graph/marked_graph.h"

namespace saliency {

// By mark id: whether an operator with weights (a matrix or more, of the model
// or computed from it) lies between the mark's tensor and the output.
std::vector<bool> FindBeforeWeights(const MarkedGraph& marked);

// By mark id: whether one lies between the image and the mark's tensor, not
// counting sums and products number by number.
std::vector<bool> FindBehindWeights(const MarkedGraph& marked);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_WEIGHTED_PATH_H_
