// Source: ITU-T T.81, annex B.  Markers are found exactly as libjpeg finds them
// (garbage between segments is skipped), so that the size seen here is the size
// it will decode.

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/byte_order.h"
#include "core/image/image_layout.h"

namespace saliency {
namespace {

enum Marker : uint8_t {
  kTem = 0x01,
  kFirstFrame = 0xC0,
  kHuffmanTables = 0xC4,
  kReserved = 0xC8,
  kArithmeticTables = 0xCC,
  kLastFrame = 0xCF,
  kFirstRestart = 0xD0,
  kLastRestart = 0xD7,
  kStartOfImage = 0xD8,
  kEndOfImage = 0xD9,
  kStartOfScan = 0xDA,
  kExif = 0xE1,  // APP1, also used for XMP
};

// Each scan of a progressive image visits every block again: a small file
// with thousands of empty ones would keep a decoder busy for minutes.
constexpr int kMaxScans = 100;

absl::Status BadJpeg(absl::string_view problem) {
  return BadImage(ImageFormat::kJpeg, problem);
}

bool IsFrame(uint8_t marker) {
  return marker >= kFirstFrame && marker <= kLastFrame &&
         marker != kHuffmanTables && marker != kReserved &&
         marker != kArithmeticTables;
}

bool StandsAlone(uint8_t marker) {
  return marker == kTem || marker == kEndOfImage ||
         (marker >= kFirstRestart && marker <= kLastRestart);
}

struct Segment {
  uint8_t marker = 0;
  absl::string_view payload;
};

// Hands out one segment after the other; entropy-coded data counts as garbage
// between them.
class SegmentReader {
 public:
  explicit SegmentReader(absl::string_view bytes) : rest_(bytes) {}

  absl::StatusOr<Segment> Next() {
    Segment segment;
    do {
      const size_t at = rest_.find('\xFF');
      const size_t code = rest_.find_first_not_of('\xFF', at);
      if (code == absl::string_view::npos) {
        return BadJpeg("ends before its end marker: it is truncated");
      }
      segment.marker = static_cast<uint8_t>(rest_[code]);
      rest_.remove_prefix(code + 1);
    } while (segment.marker == 0);
    if (StandsAlone(segment.marker)) return segment;
    const std::optional<uint32_t> length =
        ReadUnsigned(rest_, 0, 2, ByteOrder::kBig);
    if (segment.marker < kFirstFrame || segment.marker == kStartOfImage ||
        !length || *length < 2 || *length > rest_.size()) {
      return BadJpeg("is damaged or truncated between its segments");
    }
    segment.payload = rest_.substr(2, *length - 2);
    rest_.remove_prefix(*length);
    return segment;
  }

 private:
  absl::string_view rest_;
};

absl::Status ReadFrame(absl::string_view frame, ImageLayout& layout) {
  const auto field = [&](size_t offset, size_t size) {
    return ReadUnsigned(frame, offset, size, ByteOrder::kBig);
  };
  const std::optional<uint32_t> channels = field(5, 1);
  if (!channels || frame.size() != 6 + 3 * size_t{*channels}) {
    return BadJpeg("has a frame header of the wrong length");
  }
  if (layout.header.height != 0) return BadJpeg("has two frame headers");
  if (*channels == 4) return BadJpeg("is CMYK; grey and RGB images are read");
  if (*channels != 1 && *channels != 3) {
    return BadJpeg(
        absl::StrCat("has ", *channels, " channels; 1 and 3 are read"));
  }
  if (*field(0, 1) != 8) {
    return BadJpeg(
        absl::StrCat("has ", *field(0, 1), " bits per sample; 8 are read"));
  }
  return SetSize(*field(1, 2), *field(3, 2), layout);
}

}  // namespace

absl::StatusOr<ImageLayout> ReadJpegLayout(absl::string_view bytes) {
  ImageLayout layout{.header = {.format = ImageFormat::kJpeg}};
  SegmentReader reader(bytes.substr(2));
  bool exif_seen = false;
  for (int scans = 0;;) {
    ASSIGN_OR_RETURN(const Segment segment, reader.Next());
    if (IsFrame(segment.marker)) {
      RETURN_IF_ERROR(ReadFrame(segment.payload, layout));
    } else if (segment.marker == kExif && !exif_seen &&
               absl::StartsWith(segment.payload,
                                absl::string_view("Exif\0\0", 6))) {
      exif_seen = true;
      layout.orientation = ReadExifOrientation(segment.payload);
    } else if (segment.marker == kStartOfScan ||
               segment.marker == kEndOfImage) {
      if (layout.header.height == 0) return BadJpeg("has no frame header");
      if (segment.marker == kEndOfImage) return layout;
      if (++scans > kMaxScans) {
        return BadJpeg(absl::StrCat("has more than ", kMaxScans, " scans"));
      }
    }
  }
}

}  // namespace saliency
