// Checks on maps that come from outside the room.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_MAP_VIEW_H_
#define SALIENCY_CORE_IMAGE_MAP_VIEW_H_

#include "absl/status/status.h"
#include "core/image/render.h"

namespace saliency {

// Errors: INVALID_ARGUMENT an empty map, or one whose number of values is not
// height x width.
absl::Status CheckMap(const MapView& map);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_MAP_VIEW_H_
