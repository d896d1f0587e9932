#include "core/base/pointing_game.h"

#include <algorithm>

namespace saliency {
namespace {

// From `at` to the nearest of `size` pixels that begin at `first`.
double Distance(int64_t at, int64_t first, int64_t size) {
  return static_cast<double>(at - std::clamp(at, first, first + size - 1));
}

}  // namespace

bool PointsAt(int64_t y, int64_t x, absl::Span<const PixelRect> boxes,
              double tolerance) {
  return std::any_of(boxes.begin(), boxes.end(), [&](const PixelRect& box) {
    if (box.height < 1 || box.width < 1) return false;
    const double down = Distance(y, box.y, box.height);
    const double across = Distance(x, box.x, box.width);
    return down * down + across * across < tolerance * tolerance;
  });
}

}  // namespace saliency
