#include "core/engine/plan/shown_size.h"

#include <algorithm>
#include <cmath>

namespace saliency {
namespace {

// Of an edge or a size, at least `least`.
int64_t Scaled(int64_t pixels, double scale, int64_t least) {
  return std::max<int64_t>(least,
                           std::llround(static_cast<double>(pixels) * scale));
}

// Of a region's side: from its first pixel to its last, within the image.
void ScaleSide(double scale, int64_t whole, int64_t& first, int64_t& length) {
  const int64_t end = Scaled(first + length, scale, 1);
  first = std::min(Scaled(first, scale, 0), whole - 1);
  length = std::clamp<int64_t>(end - first, 1, whole - first);
}

// One axis of MovePoint.
int64_t Move(int64_t at, int64_t from, int64_t from_size, int64_t to,
             int64_t to_size) {
  // (at - from + 1/2) to_size / from_size, rounded down.
  const int64_t moved = (2 * (at - from) + 1) * to_size / (2 * from_size);
  return to + std::clamp<int64_t>(moved, 0, to_size - 1);
}

}  // namespace

int64_t MaxSide(const OutputOptions& output) {
  if (output.max_side.has_value()) return *output.max_side;
  const bool looked_at =
      output.encoding == MapEncoding::kColourPng || IsOverlay(output.encoding);
  return looked_at ? kLookedAtSide : 0;
}

ImageGeometry Within(const ImageGeometry& image, int64_t max_side) {
  const int64_t longer = std::max(image.height, image.width);
  if (max_side == 0 || longer <= max_side) return image;
  const double scale =
      static_cast<double>(max_side) / static_cast<double>(longer);
  ImageGeometry within = {.height = Scaled(image.height, scale, 1),
                          .width = Scaled(image.width, scale, 1),
                          .region = image.region};
  ScaleSide(scale, within.height, within.region.y, within.region.height);
  ScaleSide(scale, within.width, within.region.x, within.region.width);
  return within;
}

ImageGeometry ShownSize(const OutputOptions& output, const InputSize& input) {
  return Within({.height = input.image_height, .width = input.image_width},
                MaxSide(output));
}

PixelPoint MovePoint(const PixelPoint& point, const PixelRect& from,
                     const PixelRect& to) {
  return {.y = Move(point.y, from.y, from.height, to.y, to.height),
          .x = Move(point.x, from.x, from.width, to.x, to.width)};
}

}  // namespace saliency
