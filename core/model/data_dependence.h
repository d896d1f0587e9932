// Whether a network's course depends on the values of its pictures.
// Internal to the model room.  Pure function of the graph.

#ifndef SALIENCY_CORE_MODEL_DATA_DEPENDENCE_H_
#define SALIENCY_CORE_MODEL_DATA_DEPENDENCE_H_

#include "core/model/marked_graph.h"

namespace saliency {

// True when a number is read off the values of tensors that come from the
// pictures (their sizes do not count): an If, a Loop or a factor that follows
// from it is the same for all rows of a batch, so rows would depend on each
// other, however well two random ones may get on.
bool DependsOnData(const MarkedGraph& marked);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_DATA_DEPENDENCE_H_
