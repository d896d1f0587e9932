// Maps alone, without their image.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <opencv2/core.hpp>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/colour_map.h"
#include "core/image/colour_places.h"
#include "core/image/encode_image.h"
#include "core/image/map_view.h"
#include "core/image/render.h"

namespace saliency {
namespace {

uint16_t Level16(float value) {
  if (!(value > 0)) return 0;  // NaN too
  return value < 1 ? static_cast<uint16_t>(value * 65535.0F + 0.5F) : 65535;
}

cv::Mat Empty(const MapView& map, int type) {
  // Parentheses: OpenCV of Debian 13 takes braces for a list of values.
  return cv::Mat(static_cast<int>(map.height), static_cast<int>(map.width),
                 type);
}

}  // namespace

absl::StatusOr<PixelRect> RegionWithin(const PixelRect& region, int64_t height,
                                       int64_t width) {
  if (region == PixelRect{}) return PixelRect{.height = height, .width = width};
  if (region.y >= 0 && region.x >= 0 && region.height >= 1 &&
      region.width >= 1 && region.y <= height - region.height &&
      region.x <= width - region.width) {
    return region;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a region of ", region.height, " x ", region.width, " at (", region.y,
      ", ", region.x, ") is not within a map of ", height, " x ", width));
}

absl::Status CheckMap(const MapView& map) {
  const auto count = static_cast<int64_t>(map.values.size());
  if (map.height < 1 || map.width < 1 || count / map.height != map.width ||
      count % map.height != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a map of ", map.height, " x ", map.width,
                     " (height x width) comes with ", count, " values"));
  }
  return absl::OkStatus();
}

std::string EncodeFloat32(const MapView& map) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(map.values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), map.values.data(), bytes.size());
  return bytes;
}

absl::StatusOr<std::string> EncodePng16(const MapView& map) {
  RETURN_IF_ERROR(CheckMap(map));
  cv::Mat grey = Empty(map, CV_16UC1);
  auto* out = grey.ptr<uint16_t>();
  for (const float value : map.values) *out++ = Level16(value);
  return EncodePixels(grey, ImageCoding::kPng);
}

absl::StatusOr<std::string> EncodeColourPng(const MapView& map,
                                            const MapColours& colours) {
  RETURN_IF_ERROR(CheckMap(map));
  ASSIGN_OR_RETURN(const ColourMap table,
                   ColourMapFor(colours.colour_map, colours.scale.is_signed));
  ASSIGN_OR_RETURN(const PixelRect region,
                   RegionWithin(colours.region, map.height, map.width));
  const std::array<Rgb, kPlaces> colour_of = ColoursByPlace(table);
  const ColourPlace place = PlaceOn(colours.scale);
  const Rgb& nothing = colour_of[kPlaces / 2];
  cv::Mat bgr = Empty(map, CV_8UC3);
  bgr.setTo(cv::Scalar(nothing[2], nothing[1], nothing[0]));
  for (int64_t y = region.y; y < region.y + region.height; ++y) {
    const float* in = &map.values[y * map.width + region.x];
    uint8_t* out = bgr.ptr(static_cast<int>(y)) + 3 * region.x;
    for (int64_t x = 0; x < region.width; ++x, ++in, out += 3) {
      const Rgb& colour = colour_of[PlaceIndex(place, *in)];
      out[0] = colour[2];
      out[1] = colour[1];
      out[2] = colour[0];
    }
  }
  return EncodePixels(bgr, ImageCoding::kPng);
}

}  // namespace saliency
