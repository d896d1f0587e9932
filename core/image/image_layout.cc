#include "core/image/image_layout.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/byte_order.h"

namespace saliency {
namespace {

constexpr int64_t kMaxHeaderSide = std::numeric_limits<int32_t>::max();

std::optional<ImageFormat> FormatOf(absl::string_view bytes) {
  const auto begins = [&](absl::string_view magic) {
    return absl::StartsWith(bytes, magic);
  };
  if (begins("\xFF\xD8\xFF")) return ImageFormat::kJpeg;
  if (begins("\x89PNG\r\n\x1A\n")) return ImageFormat::kPng;
  if (begins("RIFF") && absl::StartsWith(From(bytes, 8), "WEBP")) {
    return ImageFormat::kWebp;
  }
  if (begins("BM")) return ImageFormat::kBmp;
  if (begins(absl::string_view("II*\0", 4)) ||
      begins(absl::string_view("MM\0*", 4))) {
    return ImageFormat::kTiff;
  }
  return std::nullopt;
}

}  // namespace

absl::string_view FormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kBmp:
      return "BMP";
    case ImageFormat::kTiff:
      return "TIFF";
  }
  return "image";
}

absl::Status BadImage(ImageFormat format, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("the ", FormatName(format), " data ", problem));
}

absl::Status SetSize(int64_t height, int64_t width, ImageLayout& layout) {
  if (height < 1 || width < 1 || height > kMaxHeaderSide ||
      width > kMaxHeaderSide) {
    return BadImage(layout.header.format,
                    absl::StrCat("has a size of ", width, " x ", height,
                                 " pixels; each side must be in [1, ",
                                 kMaxHeaderSide, "]"));
  }
  layout.header.height = height;
  layout.header.width = width;
  return absl::OkStatus();
}

absl::StatusOr<ImageLayout> ReadImageLayout(absl::string_view bytes) {
  if (bytes.empty()) return absl::InvalidArgumentError("image is empty");
  const std::optional<ImageFormat> format = FormatOf(bytes);
  if (!format.has_value()) {
    return absl::InvalidArgumentError(
        "image is not of a known format; JPEG, PNG, WebP, BMP and TIFF are");
  }
  switch (*format) {
    case ImageFormat::kJpeg:
      return ReadJpegLayout(bytes);
    case ImageFormat::kPng:
      return ReadPngLayout(bytes);
    case ImageFormat::kWebp:
      return ReadWebpLayout(bytes);
    case ImageFormat::kBmp:
      return ReadBmpLayout(bytes);
    case ImageFormat::kTiff:
      return ReadTiffLayout(bytes);
  }
  return absl::InternalError("an image format without a reader");
}

absl::StatusOr<ImageHeader> ReadImageHeader(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ReadImageLayout(bytes));
  return layout.header;
}

}  // namespace saliency
