#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/image.h"
#include "core/image/image_layout.h"
#include "core/image/rgb_rows.h"
#include "core/image/tiff_directory.h"

namespace saliency {
namespace {

// What OpenCV refuses by itself, whatever the number of pixels.
constexpr int64_t kMaxSide = 1 << 20;

absl::Status CheckPixels(const ImageHeader& header, int64_t max_pixels) {
  const int64_t pixels = header.height * header.width;  // sides are below 2^31
  if (pixels > max_pixels) {
    return absl::InvalidArgumentError(
        absl::StrCat("image has ", pixels, " pixels, limit ", max_pixels));
  }
  const int64_t side = std::max(header.height, header.width);
  if (side > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image has a side of ", side, " pixels, limit ", kMaxSide));
  }
  return absl::OkStatus();
}

// The same file with its orientation entry saying "upright": OpenCV would apply
// it to some kinds of TIFF.
std::string WithoutOrientation(absl::string_view tiff, size_t entry) {
  std::string upright(tiff);
  const bool is_big = tiff[0] == 'M';
  const absl::string_view fields =  // SHORT, one value, 1
      is_big ? absl::string_view("\0\3\0\0\0\1\0\1\0\0", 10)
             : absl::string_view("\3\0\1\0\0\0\1\0\0\0", 10);
  upright.replace(entry + 2, fields.size(), fields.data(), fields.size());
  return upright;
}

// IMREAD_UNCHANGED: as stored, no orientation applied, alpha and depth kept.
absl::StatusOr<cv::Mat> Decode(absl::string_view bytes,
                               const ImageHeader& header) {
  cv::Mat decoded;
  const absl::Status status = CatchAsStatus("decoding an image", [&] {
    const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1,
                          const_cast<char*>(bytes.data()));
    decoded = cv::imdecode(encoded, cv::IMREAD_UNCHANGED);
    return absl::OkStatus();
  });
  if (!status.ok() || decoded.empty()) {
    return BadImage(header.format, "is damaged or truncated");
  }
  if (decoded.rows != header.height || decoded.cols != header.width) {
    return BadImage(header.format,
                    absl::StrCat("decodes to ", decoded.cols, " x ",
                                 decoded.rows, " pixels where its header says ",
                                 header.width, " x ", header.height));
  }
  return decoded;
}

}  // namespace

absl::StatusOr<Image> DecodeImage(absl::string_view bytes,
                                  const DecodeLimits& limits) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (size > limits.max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("image has ", size, " bytes, limit ", limits.max_bytes));
  }
  ASSIGN_OR_RETURN(const ImageLayout layout, ReadImageLayout(bytes));
  RETURN_IF_ERROR(CheckPixels(layout.header, limits.max_pixels));
  std::string upright;
  if (layout.tiff_orientation_entry.has_value()) {
    upright = WithoutOrientation(bytes, *layout.tiff_orientation_entry);
    bytes = upright;
  }
  ASSIGN_OR_RETURN(const cv::Mat decoded, Decode(bytes, layout.header));
  ASSIGN_OR_RETURN(Image image, ToRgb(decoded, layout));
  return Orient(std::move(image), layout.orientation);
}

}  // namespace saliency
