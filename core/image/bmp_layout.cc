// Source: the BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER and
// BITMAPV4HEADER structures of the Windows API.  The fourth byte of a pixel is
// taken for padding unless the header has a mask that makes it an alpha.

#include <array>
#include <cstdlib>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/byte_order.h"
#include "core/image/image_layout.h"

namespace saliency {
namespace {

constexpr size_t kFileHeaderSize = 14;
constexpr uint32_t kCoreHeaderSize = 12;
constexpr uint32_t kInfoHeaderSize = 40;
constexpr uint32_t kMaxHeaderSize = 124;
enum Compression : uint32_t { kPlain = 0, kBitFields = 3 };

absl::Status BadBmp(absl::string_view problem) {
  return BadImage(ImageFormat::kBmp, problem);
}

// 0 where the bytes end before the field: `header_size` was checked.
uint32_t Field(absl::string_view bytes, size_t offset, size_t size) {
  return ReadUnsigned(bytes, offset, size, ByteOrder::kLittle).value_or(0);
}

struct Pixels {
  uint32_t bits = 0;
  uint32_t compression = kPlain;
};

absl::Status CheckEncoding(const Pixels& pixels) {
  if (pixels.compression != kPlain && pixels.compression != kBitFields) {
    return BadBmp(absl::StrCat("has compression ", pixels.compression,
                               "; 0 (none) and 3 (bit fields) are read"));
  }
  const uint32_t bits = pixels.bits;
  const bool takes_fields = bits == 16 || bits == 32;
  const bool takes_plain =
      takes_fields || bits == 1 || bits == 4 || bits == 8 || bits == 24;
  if (pixels.compression == kBitFields ? !takes_fields : !takes_plain) {
    return BadBmp(absl::StrCat(
        "has ", bits, " bits per pixel with compression ", pixels.compression));
  }
  return absl::OkStatus();
}

// The decoder assumes the usual order of channels, and for 16 bits finds the
// masks only behind a header of the oldest kind.
absl::Status CheckFields(absl::string_view header, uint32_t header_size,
                         uint32_t bits) {
  using Masks = std::array<uint32_t, 3>;
  const Masks masks = {Field(header, 40, 4), Field(header, 44, 4),
                       Field(header, 48, 4)};
  const bool is_usual = bits == 32 ? masks == Masks{0xFF0000, 0xFF00, 0xFF}
                                   : header_size == kInfoHeaderSize &&
                                         (masks == Masks{0xF800, 0x7E0, 0x1F} ||
                                          masks == Masks{0x7C00, 0x3E0, 0x1F});
  return is_usual ? absl::OkStatus()
                  : BadBmp("has bit fields in an order that is not read");
}

// Headers of the later kinds may say that the fourth byte is an alpha.
absl::StatusOr<AlphaMeaning> ReadAlpha(absl::string_view header,
                                       uint32_t header_size, uint32_t bits) {
  constexpr uint32_t kFirstSizeWithAlpha = 56;
  if (bits != 32 || header_size < kFirstSizeWithAlpha) {
    return AlphaMeaning::kIgnored;
  }
  const uint32_t mask = Field(header, 52, 4);
  if (mask == 0xFF000000) return AlphaMeaning::kStraight;
  if (mask == 0) return AlphaMeaning::kIgnored;
  return BadBmp("has an alpha in bits that are not read");
}

absl::Status CheckLength(absl::string_view bytes, const ImageHeader& header,
                         const Pixels& pixels) {
  const int64_t row = (header.width * pixels.bits + 31) / 32 * 4;
  const auto available =
      static_cast<int64_t>(From(bytes, Field(bytes, 10, 4)).size());
  if (header.height > available / row) {
    return BadBmp(absl::StrCat("is truncated: it holds ", available / row,
                               " of ", header.height, " rows"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImageLayout> ReadBmpLayout(absl::string_view bytes) {
  ImageLayout layout{.header = {.format = ImageFormat::kBmp},
                     .alpha = AlphaMeaning::kIgnored};
  const uint32_t header_size = Field(bytes, kFileHeaderSize, 4);
  const bool is_core = header_size == kCoreHeaderSize;
  if (!is_core &&
      (header_size < kInfoHeaderSize || header_size > kMaxHeaderSize)) {
    return BadBmp(absl::StrCat("has a header of ", header_size,
                               " bytes; 12 and 40 to 124 are known"));
  }
  const absl::string_view header = From(bytes, kFileHeaderSize);
  if (header.size() < header_size) return BadBmp("ends before its header does");
  Pixels pixels;
  int64_t height = 0;
  int64_t width = 0;
  if (is_core) {
    width = Field(header, 4, 2);
    height = Field(header, 6, 2);
    pixels.bits = Field(header, 10, 2);
  } else {
    width = static_cast<int32_t>(Field(header, 4, 4));
    // Negative for rows from the top down.
    height = std::abs(int64_t{static_cast<int32_t>(Field(header, 8, 4))});
    pixels.bits = Field(header, 14, 2);
    pixels.compression = Field(header, 16, 4);
  }
  RETURN_IF_ERROR(SetSize(height, width, layout));
  RETURN_IF_ERROR(CheckEncoding(pixels));
  if (pixels.compression == kBitFields) {
    RETURN_IF_ERROR(CheckFields(header, header_size, pixels.bits));
    ASSIGN_OR_RETURN(layout.alpha, ReadAlpha(header, header_size, pixels.bits));
  }
  RETURN_IF_ERROR(CheckLength(bytes, layout.header, pixels));
  return layout;
}

}  // namespace saliency
