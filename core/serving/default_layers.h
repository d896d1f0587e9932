// Which layers a model is looked at when nobody says: chosen from what the
// model has, or checked when its configuration names them.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_SERVING_DEFAULT_LAYERS_H_
#define SALIENCY_CORE_SERVING_DEFAULT_LAYERS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/model/model_config.h"
#include "core/model/probed_model.h"

namespace saliency {

// For combining: the last spatial layer of each resolution, shallow to deep;
// one that every path crosses where the resolution has one, so that it is no
// branch of a block.  Not counting the input (also where it was only resized or
// normalised), average pools, dropouts, what has shrunk to 1 x 1, what a pass
// may not come by, what no gradient reaches and, where there is something else,
// what no weights follow (a map of class scores).  Empty when there is none (a
// frozen file without module paths).
std::vector<std::string> StageEnds(absl::Span<const LayerInfo> layers);

// For single maps: the deepest of these, or none.
std::vector<std::string> LastSpatialLayer(absl::Span<const LayerInfo> layers);

// Checks the configured layers, fills in those that are not configured; a model
// with nothing but its input is looked at there.
// Errors: NOT_FOUND a configured layer is not in the model, with near matches;
//   INVALID_ARGUMENT it is not spatial.
absl::Status FillDefaultLayers(absl::Span<const LayerInfo> layers,
                               ModelConfig& config);

}  // namespace saliency

#endif  // SALIENCY_CORE_SERVING_DEFAULT_LAYERS_H_
