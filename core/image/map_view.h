// Checks on maps that come from outside the room.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_MAP_VIEW_H_
#define SALIENCY_CORE_IMAGE_MAP_VIEW_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/image/render.h"

namespace saliency {

// Errors: INVALID_ARGUMENT an empty map, or one whose number of values is not
// height x width.
absl::Status CheckMap(const MapView& map);

// `region`, or all of height x width where it is empty.
// Errors: INVALID_ARGUMENT a region that is not within.
absl::StatusOr<PixelRect> RegionWithin(const PixelRect& region, int64_t height,
                                       int64_t width);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_MAP_VIEW_H_
