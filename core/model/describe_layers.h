// The layers of a network for those who choose among them: what the graph tells
// of each and what the check has found.
// Internal to the model room.  Pure function.

#ifndef SALIENCY_CORE_MODEL_DESCRIBE_LAYERS_H_
#define SALIENCY_CORE_MODEL_DESCRIBE_LAYERS_H_

#include <vector>

#include "core/model/check/self_check.h"
#include "core/model/probed_model.h"
#include "core/model/probed_network.h"

namespace saliency {

// One for each of `ids`, marks of Side::kOutput that are still in the graph.
std::vector<LayerInfo> DescribeLayers(const ProbedNetwork& network,
                                      const NetworkCheck& check,
                                      const std::vector<int>& ids);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_DESCRIBE_LAYERS_H_
