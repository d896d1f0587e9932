// Maps alone, without their picture.

#include <bit>
#include <cstdint>
#include <cstring>
#include <opencv2/core.hpp>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/colour_map.h"
#include "core/image/encode_png.h"
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
  return EncodePngPixels(grey);
}

absl::StatusOr<std::string> EncodeColourPng(const MapView& map,
                                            absl::string_view colour_map) {
  RETURN_IF_ERROR(CheckMap(map));
  ASSIGN_OR_RETURN(const ColourMap table, MakeColourMap(colour_map));
  cv::Mat bgr = Empty(map, CV_8UC3);
  uint8_t* out = bgr.ptr();
  for (const float value : map.values) {
    const Rgb& colour = table.colours[ColourLevel(value)];
    *out++ = colour[2];
    *out++ = colour[1];
    *out++ = colour[0];
  }
  return EncodePngPixels(bgr);
}

}  // namespace saliency
