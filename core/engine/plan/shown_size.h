// How large an image-sized map becomes: as the image, or within the longest
// side that was asked for; and where its point lies on the image.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_SHOWN_SIZE_H_
#define SALIENCY_CORE_ENGINE_PLAN_SHOWN_SIZE_H_

#include <cstdint>

#include "core/base/input_config.h"
#include "core/engine/job.h"
#include "core/engine/plan/prepare_input.h"

namespace saliency {

// Where nothing else is asked for, of maps that are made to be looked at.
inline constexpr int64_t kLookedAtSide = 1600;  // pixels

// The longest side of image-sized maps, pixels; 0: the image's.
int64_t MaxSide(const OutputOptions& output);

// The image scaled down to `max_side`, its aspect ratio kept; itself where it
// fits or `max_side` is 0.  The region goes with it.
ImageGeometry Within(const ImageGeometry& image, int64_t max_side);

// How large an image of the input is shown.
ImageGeometry ShownSize(const OutputOptions& output, const InputSize& input);

// A position in pixels.
struct PixelPoint {
  int64_t y = 0;
  int64_t x = 0;
};

// The pixel of `to` that holds the middle of the pixel `point` of `from`, where
// both rectangles show the same.
PixelPoint MovePoint(const PixelPoint& point, const PixelRect& from,
                     const PixelRect& to);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_SHOWN_SIZE_H_
