#include "core/image/encode_image.h"

#include <algorithm>
#include <cstdint>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {
namespace {

struct FileKind {
  const char* name;
  const char* extension;
  int64_t longest_side;  // of the format, or of its library
  std::vector<int> parameters;
};

FileKind KindOf(ImageCoding coding) {
  switch (coding) {
    case ImageCoding::kJpeg:
      return {"JPEG", ".jpg", 65'500, {cv::IMWRITE_JPEG_QUALITY, 90}};
    case ImageCoding::kWebp:
      return {"WebP", ".webp", 16'383, {cv::IMWRITE_WEBP_QUALITY, 85}};
    case ImageCoding::kPng:
      break;
  }
  // Half as large as 1, and several times as fast as 9 for 5 % more bytes.
  return {"PNG", ".png", 1'000'000, {cv::IMWRITE_PNG_COMPRESSION, 3}};
}

}  // namespace

int64_t LongestSide(ImageCoding coding) { return KindOf(coding).longest_side; }

absl::StatusOr<std::string> EncodePixels(const cv::Mat& pixels,
                                         ImageCoding coding) {
  const FileKind kind = KindOf(coding);
  if (std::max(pixels.rows, pixels.cols) > kind.longest_side) {
    return absl::InvalidArgumentError(
        absl::StrCat("a ", kind.name, " of ", pixels.rows, " x ", pixels.cols,
                     " (height x width): a side is above ", kind.longest_side));
  }
  std::vector<uint8_t> encoded;
  RETURN_IF_ERROR(CatchAsStatus("encoding an image", [&] {
    return cv::imencode(kind.extension, pixels, encoded, kind.parameters)
               ? absl::OkStatus()
               : absl::InternalError(absl::StrCat("encoding a ", kind.name));
  }));
  return std::string(encoded.begin(), encoded.end());
}

absl::StatusOr<std::string> EncodeImage(const Image& image,
                                        ImageCoding coding) {
  cv::Mat bgr(static_cast<int>(image.height), static_cast<int>(image.width),
              CV_8UC3);
  const uint8_t* rgb = image.rgb.data();
  for (uint8_t* out = bgr.data; out != bgr.dataend; out += 3, rgb += 3) {
    out[0] = rgb[2];
    out[1] = rgb[1];
    out[2] = rgb[0];
  }
  return EncodePixels(bgr, coding);
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  return EncodeImage(image, ImageCoding::kPng);
}

}  // namespace saliency
