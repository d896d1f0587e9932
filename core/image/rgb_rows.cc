#include "core/image/rgb_rows.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

uint8_t ToByte(uint8_t value) { return value; }

uint8_t ToByte(uint16_t value) {
  return static_cast<uint8_t>((value * 255U + 32767U) / 65535U);
}

template <typename Sample>
void FromGrey(const Sample* grey, std::optional<uint16_t> clear, int64_t width,
              uint8_t* rgb) {
  for (int64_t x = 0; x < width; ++x) {
    const uint8_t value = grey[x] == clear ? 255 : ToByte(grey[x]);
    rgb[3 * x] = value;
    rgb[3 * x + 1] = value;
    rgb[3 * x + 2] = value;
  }
}

// `stride` channels per pixel, of which the first three count.
template <int stride, typename Sample>
void FromBgr(const Sample* bgr, int64_t width, uint8_t* rgb) {
  for (int64_t x = 0; x < width; ++x) {
    rgb[3 * x] = ToByte(bgr[stride * x + 2]);
    rgb[3 * x + 1] = ToByte(bgr[stride * x + 1]);
    rgb[3 * x + 2] = ToByte(bgr[stride * x]);
  }
}

template <typename Sample>
void FromStraightAlpha(const Sample* bgra, int64_t width, uint8_t* rgb) {
  for (int64_t x = 0; x < width; ++x) {
    const uint32_t alpha = ToByte(bgra[4 * x + 3]);
    const uint32_t white = 255U * (255U - alpha) + 127U;
    for (int c = 0; c < 3; ++c) {
      const uint32_t colour = ToByte(bgra[4 * x + 2 - c]);
      rgb[3 * x + c] = static_cast<uint8_t>((colour * alpha + white) / 255U);
    }
  }
}

template <typename Sample>
void FromPremultiplied(const Sample* bgra, int64_t width, uint8_t* rgb) {
  for (int64_t x = 0; x < width; ++x) {
    const uint32_t white = 255U - ToByte(bgra[4 * x + 3]);
    for (int c = 0; c < 3; ++c) {
      const uint32_t colour = ToByte(bgra[4 * x + 2 - c]);
      rgb[3 * x + c] = static_cast<uint8_t>(std::min(colour + white, 255U));
    }
  }
}

template <typename Sample>
void ConvertRow(const Sample* row, int channels, const ImageLayout& layout,
                int64_t width, uint8_t* rgb) {
  if (channels == 1) return FromGrey(row, layout.clear_grey, width, rgb);
  if (channels == 3) return FromBgr<3>(row, width, rgb);
  switch (layout.alpha) {
    case AlphaMeaning::kStraight:
      return FromStraightAlpha(row, width, rgb);
    case AlphaMeaning::kPremultiplied:
      return FromPremultiplied(row, width, rgb);
    case AlphaMeaning::kIgnored:
      return FromBgr<4>(row, width, rgb);
  }
}

}  // namespace

absl::StatusOr<Image> ToRgb(const cv::Mat& decoded, const ImageLayout& layout) {
  const int depth = decoded.depth();
  const int channels = decoded.channels();
  if ((depth != CV_8U && depth != CV_16U) ||
      (channels != 1 && channels != 3 && channels != 4)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image decodes to ", channels, " channels of ", decoded.elemSize1(),
        " bytes; 1, 3 or 4 channels of unsigned integers are read"));
  }
  Image image{.height = decoded.rows, .width = decoded.cols};
  image.rgb.resize(3 * image.height * image.width);
  for (int y = 0; y < decoded.rows; ++y) {
    uint8_t* rgb = image.rgb.data() + 3 * y * image.width;
    if (depth == CV_8U) {
      ConvertRow(decoded.ptr<uint8_t>(y), channels, layout, image.width, rgb);
    } else {
      ConvertRow(decoded.ptr<uint16_t>(y), channels, layout, image.width, rgb);
    }
  }
  return image;
}

}  // namespace saliency
