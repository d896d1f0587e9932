#include "core/image/picture_layout.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/byte_order.h"

namespace saliency {
namespace {

constexpr int64_t kMaxHeaderSide = std::numeric_limits<int32_t>::max();

std::optional<PictureFormat> FormatOf(absl::string_view bytes) {
  const auto begins = [&](absl::string_view magic) {
    return absl::StartsWith(bytes, magic);
  };
  if (begins("\xFF\xD8\xFF")) return PictureFormat::kJpeg;
  if (begins("\x89PNG\r\n\x1A\n")) return PictureFormat::kPng;
  if (begins("RIFF") && absl::StartsWith(From(bytes, 8), "WEBP")) {
    return PictureFormat::kWebp;
  }
  if (begins("BM")) return PictureFormat::kBmp;
  if (begins(absl::string_view("II*\0", 4)) ||
      begins(absl::string_view("MM\0*", 4))) {
    return PictureFormat::kTiff;
  }
  return std::nullopt;
}

}  // namespace

absl::string_view FormatName(PictureFormat format) {
  switch (format) {
    case PictureFormat::kJpeg:
      return "JPEG";
    case PictureFormat::kPng:
      return "PNG";
    case PictureFormat::kWebp:
      return "WebP";
    case PictureFormat::kBmp:
      return "BMP";
    case PictureFormat::kTiff:
      return "TIFF";
  }
  return "picture";
}

absl::Status BadPicture(PictureFormat format, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("the ", FormatName(format), " data ", problem));
}

absl::Status SetSize(int64_t height, int64_t width, PictureLayout& layout) {
  if (height < 1 || width < 1 || height > kMaxHeaderSide ||
      width > kMaxHeaderSide) {
    return BadPicture(layout.header.format,
                      absl::StrCat("has a size of ", width, " x ", height,
                                   " pixels; each side must be in [1, ",
                                   kMaxHeaderSide, "]"));
  }
  layout.header.height = height;
  layout.header.width = width;
  return absl::OkStatus();
}

absl::StatusOr<PictureLayout> ReadPictureLayout(absl::string_view bytes) {
  if (bytes.empty()) return absl::InvalidArgumentError("picture is empty");
  const std::optional<PictureFormat> format = FormatOf(bytes);
  if (!format.has_value()) {
    return absl::InvalidArgumentError(
        "picture is not of a known format; JPEG, PNG, WebP, BMP and TIFF are");
  }
  switch (*format) {
    case PictureFormat::kJpeg:
      return ReadJpegLayout(bytes);
    case PictureFormat::kPng:
      return ReadPngLayout(bytes);
    case PictureFormat::kWebp:
      return ReadWebpLayout(bytes);
    case PictureFormat::kBmp:
      return ReadBmpLayout(bytes);
    case PictureFormat::kTiff:
      return ReadTiffLayout(bytes);
  }
  return absl::InternalError("a picture format without a reader");
}

absl::StatusOr<PictureHeader> ReadPictureHeader(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const PictureLayout layout, ReadPictureLayout(bytes));
  return layout.header;
}

}  // namespace saliency
