// The pointing game's one question: does a map's strongest point lie on the
// object?  Here, without LibTorch or OpenCV, because the client asks it.
//
// Source: Zhang et al., "Top-down Neural Attention by Excitation Backprop",
// IJCV 2018, arXiv:1608.00507, sec. 4.2; the paper, App. A.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_BASE_POINTING_GAME_H_
#define SALIENCY_CORE_BASE_POINTING_GAME_H_

#include <cstdint>

#include "absl/types/span.h"
#include "core/base/input_config.h"

namespace saliency {

inline constexpr double kPointingTolerance = 15;  // pixels

// Whether pixel (y, x) lies strictly within `tolerance` pixels (Euclidean,
// between pixel centres) of a pixel of any of the boxes.  A box without area
// holds no pixel.
bool PointsAt(int64_t y, int64_t x, absl::Span<const PixelRect> boxes,
              double tolerance = kPointingTolerance);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_POINTING_GAME_H_
