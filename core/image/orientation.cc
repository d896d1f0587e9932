#include "core/image/orientation.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/strip.h"
#include "core/base/input_config.h"
#include "core/image/tiff_directory.h"

namespace saliency {
namespace {

// Where the upright image's pixel (y, x) is stored: origin + y dy + x dx, in
// pixels.
struct Walk {
  int64_t origin;
  int64_t dy;
  int64_t dx;
};

Walk WalkFor(Orientation orientation, int64_t height, int64_t width) {
  const int64_t last_row = (height - 1) * width;
  const int64_t last_column = width - 1;
  switch (orientation) {
    case Orientation::kUpright:
      break;
    case Orientation::kMirror:
      return {last_column, width, -1};
    case Orientation::kTurn180:
      return {last_row + last_column, -width, -1};
    case Orientation::kFlip:
      return {last_row, -width, 1};
    case Orientation::kTranspose:
      return {0, 1, width};
    case Orientation::kTurnRight:
      return {last_row, 1, -width};
    case Orientation::kTransverse:
      return {last_row + last_column, -1, -width};
    case Orientation::kTurnLeft:
      return {last_column, -1, width};
  }
  return {0, width, 1};
}

// Walks in tiles: a column-wise read of a whole image would miss the cache at
// every pixel.
void CopyTile(const uint8_t* stored, const Walk& walk, const PixelRect& tile,
              Image& upright) {
  for (int64_t y = tile.y; y < tile.y + tile.height; ++y) {
    uint8_t* out = upright.rgb.data() + 3 * (y * upright.width + tile.x);
    const uint8_t* in =
        stored + 3 * (walk.origin + y * walk.dy + tile.x * walk.dx);
    for (int64_t x = 0; x < tile.width; ++x) {
      std::memcpy(out, in, 3);
      out += 3;
      in += 3 * walk.dx;
    }
  }
}

}  // namespace

Orientation OrientationFromTag(uint32_t tag_value) {
  return tag_value >= 1 && tag_value <= 8 ? static_cast<Orientation>(tag_value)
                                          : Orientation::kUpright;
}

Orientation ReadExifOrientation(absl::string_view exif) {
  const absl::string_view tiff =
      absl::StripPrefix(exif, absl::string_view("Exif\0\0", 6));
  const absl::StatusOr<TiffDirectory> directory = ReadTiffDirectory(tiff);
  if (!directory.ok()) return Orientation::kUpright;
  const absl::StatusOr<uint32_t> tag_value =
      directory->Value(kTiffOrientation, 1);
  return tag_value.ok() ? OrientationFromTag(*tag_value)
                        : Orientation::kUpright;
}

Image Orient(Image stored, Orientation orientation) {
  if (orientation == Orientation::kUpright) return stored;
  constexpr int64_t kTile = 64;
  const Walk walk = WalkFor(orientation, stored.height, stored.width);
  const bool swaps_sides = orientation >= Orientation::kTranspose;
  Image upright{.height = swaps_sides ? stored.width : stored.height,
                .width = swaps_sides ? stored.height : stored.width};
  upright.rgb.resize(stored.rgb.size());
  for (int64_t y = 0; y < upright.height; y += kTile) {
    for (int64_t x = 0; x < upright.width; x += kTile) {
      CopyTile(stored.rgb.data(), walk,
               {.y = y,
                .x = x,
                .height = std::min(kTile, upright.height - y),
                .width = std::min(kTile, upright.width - x)},
               upright);
    }
  }
  return upright;
}

}  // namespace saliency
