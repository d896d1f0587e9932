#include "core/image/preprocess.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/image/resize.h"

namespace saliency {
namespace {

struct Size {
  int64_t height = 0;
  int64_t width = 0;
};

// The shorter side becomes `side`; the longer one is cut to whole pixels.
Size ShortestSide(const Image& image, int64_t side) {
  if (image.width <= image.height) {
    return {.height = side * image.height / image.width, .width = side};
  }
  return {.height = side, .width = side * image.width / image.height};
}

// Half of what is left over, halves rounded to even.  REQUIRES: inner <= outer.
int64_t CropOffset(int64_t outer, int64_t inner) {
  const int64_t half = (outer - inner) / 2;
  const bool is_odd = (outer - inner) % 2 != 0;
  return is_odd && half % 2 != 0 ? half + 1 : half;
}

struct Range {
  int64_t first = 0;
  int64_t count = 0;
};

// The pixels i of `original` whose centre (i + 1/2) resized / original lies in
// [begin, begin + count); where there is none (an enlarged image), the one
// that the middle of the range shows.
Range OriginalPixels(int64_t original, int64_t resized, int64_t begin,
                     int64_t count) {
  const auto first_at = [&](int64_t edge) {  // smallest i with centre >= edge
    const int64_t numerator = 2 * edge * original - resized;
    return numerator <= 0 ? int64_t{0}
                          : (numerator + 2 * resized - 1) / (2 * resized);
  };
  const int64_t first = std::min(first_at(begin), original);
  const int64_t end = std::min(first_at(begin + count), original);
  if (first < end) return {.first = first, .count = end - first};
  const int64_t middle = (2 * begin + count) * original / (2 * resized);
  return {.first = std::min(middle, original - 1), .count = 1};
}

// What each of the 256 possible values becomes.
std::array<float, 256> ValuesOf(const InputConfig& config, int64_t colour) {
  std::array<float, 256> values;
  for (size_t i = 0; i < values.size(); ++i) {
    const float scaled = static_cast<float>(i) * config.value_max / 255.0F;
    values[i] = (scaled - config.mean[colour]) / config.std[colour];
  }
  return values;
}

// One plane after the other.
void FillColours(const Image& resized, const InputConfig& config, float* out) {
  const size_t pixels = resized.rgb.size() / 3;
  for (int64_t plane = 0; plane < 3; ++plane) {
    const int64_t colour = config.ColourOf(plane);
    const std::array<float, 256> values = ValuesOf(config, colour);
    const uint8_t* in = resized.rgb.data() + colour;
    for (size_t i = 0; i < pixels; ++i) out[i] = values[in[3 * i]];
    out += pixels;
  }
}

// Rec. 601 luma in whole numbers, as PIL converts to mode "L".
void FillLuminance(const Image& resized, const InputConfig& config,
                   float* out) {
  constexpr uint32_t kRed = 19595;  // of 1 << 16
  constexpr uint32_t kGreen = 38470;
  constexpr uint32_t kBlue = 7471;
  const size_t pixels = resized.rgb.size() / 3;
  const std::array<float, 256> values = ValuesOf(config, 0);
  const uint8_t* in = resized.rgb.data();
  for (size_t i = 0; i < pixels; ++i, in += 3) {
    const uint32_t luma =
        kRed * in[0] + kGreen * in[1] + kBlue * in[2] + (1U << 15);
    out[i] = values[luma >> 16];
  }
}

PreparedImage Prepare(const Image& resized, const InputConfig& config,
                      const PixelRect& region) {
  PreparedImage prepared{
      .height = resized.height, .width = resized.width, .region = region};
  prepared.chw.resize(config.channels * resized.rgb.size() / 3);
  const auto fill = config.channels == 1 ? &FillLuminance : &FillColours;
  fill(resized, config, prepared.chw.data());
  return prepared;
}

absl::StatusOr<PreparedImage> CropCentre(const Image& image,
                                         const InputConfig& config) {
  const Size size = ShortestSide(image, config.resize);
  if (config.height > size.height || config.width > size.width) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a crop of ", config.height, " x ", config.width,
        " (height x width) does not fit the image of ", image.height, " x ",
        image.width, " resized to ", size.height, " x ", size.width));
  }
  const PixelRect crop{.y = CropOffset(size.height, config.height),
                       .x = CropOffset(size.width, config.width),
                       .height = config.height,
                       .width = config.width};
  const Range rows =
      OriginalPixels(image.height, size.height, crop.y, crop.height);
  const Range columns =
      OriginalPixels(image.width, size.width, crop.x, crop.width);
  return Prepare(ResizeWindow(image, size.height, size.width, crop), config,
                 {.y = rows.first,
                  .x = columns.first,
                  .height = rows.count,
                  .width = columns.count});
}

}  // namespace

absl::StatusOr<PreparedImage> Preprocess(const Image& image,
                                         const InputConfig& config,
                                         int64_t max_input_pixels) {
  if (config.geometry == InputGeometry::kCentreCrop) {
    return CropCentre(image, config);
  }
  Size size{.height = config.height, .width = config.width};
  if (config.geometry == InputGeometry::kShortestSide) {
    size = ShortestSide(image, config.resize);
    if (size.height > max_input_pixels / size.width) {
      return absl::InvalidArgumentError(absl::StrCat(
          "image of ", image.height, " x ", image.width,
          " (height x width) becomes a model input of ", size.height, " x ",
          size.width, " pixels, limit ", max_input_pixels, " in all"));
    }
  }
  return Prepare(ResizeImage(image, size.height, size.width), config,
                 {.height = image.height, .width = image.width});
}

}  // namespace saliency
