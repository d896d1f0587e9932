// Whether a network's course depends on the values of its images, or on how
// many there are.
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_DATA_DEPENDENCE_H_
#define SALIENCY_CORE_MODEL_GRAPH_DATA_DEPENDENCE_H_

#include <string>

#include "core/model/graph/marked_graph.h"

namespace saliency {

// The operator that reads a number off the values of tensors that come from the
// images (their sizes do not count), "aten::item"; empty when none does.  An
// If, a Loop or a factor that follows from it is the same for all rows of a
// batch, so rows depend on each other, however well some may get on.
std::string NumberReadFromImages(const MarkedGraph& marked);

// Whether an If goes by the number of images, as `if x.shape[0] > 4`: then the
// answer to one may change with its neighbours, in batches that no trial has
// tried.  An If that only raises an exception does not count.
bool GoesByNumberOfImages(const MarkedGraph& marked);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_DATA_DEPENDENCE_H_
