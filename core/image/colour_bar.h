// The band below an overlay that says what its colours mean: the colours from
// end to end, with the raw values there, and 0 in the middle of a signed map's.
// Pure function; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_COLOUR_BAR_H_
#define SALIENCY_CORE_IMAGE_COLOUR_BAR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/image/colour_map.h"
#include "core/image/colour_scale.h"
#include "core/image/image.h"

namespace saliency {

// Fills the rows of `canvas` from `top` to its end.  Where the numbers do not
// fit, the colours stand alone.
absl::Status DrawColourBar(const ColourMap& colours, const ColourScale& scale,
                           int64_t top, Image& canvas);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_COLOUR_BAR_H_
