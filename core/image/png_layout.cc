// Source: Portable Network Graphics, third edition (W3C), sections 5, 11.2,
// 11.3.1.1 (tRNS) and 11.3.4.5 (eXIf).

#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/byte_order.h"
#include "core/image/image_layout.h"

namespace saliency {
namespace {

constexpr size_t kSignatureSize = 8;
constexpr size_t kChunkOverhead = 12;  // length, type, checksum

absl::Status BadPng(absl::string_view problem) {
  return BadImage(ImageFormat::kPng, problem);
}

bool IsPossible(uint32_t colour_type, uint32_t bits) {
  switch (colour_type) {
    case 0:  // grey
      return bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16;
    case 3:  // palette
      return bits == 1 || bits == 2 || bits == 4 || bits == 8;
    case 2:  // RGB
    case 4:  // grey and alpha
    case 6:  // RGB and alpha
      return bits == 8 || bits == 16;
    default:
      return false;
  }
}

// What the header says of a sample.
struct PngSamples {
  uint32_t bits = 0;
  uint32_t colour_type = 0;
};

absl::StatusOr<PngSamples> ReadImageHeader(absl::string_view header,
                                           ImageLayout& layout) {
  const auto field = [&](size_t offset, size_t size) {
    return *ReadUnsigned(header, offset, size, ByteOrder::kBig);
  };
  RETURN_IF_ERROR(SetSize(field(4, 4), field(0, 4), layout));
  if (!IsPossible(field(9, 1), field(8, 1))) {
    return BadPng(absl::StrCat("combines colour type ", field(9, 1), " with ",
                               field(8, 1), " bits, which PNG does not"));
  }
  return PngSamples{.bits = field(8, 1), .colour_type = field(9, 1)};
}

// tRNS of a grey image, as the decoder hands its samples out: with fewer than
// 8 bits they are stretched to 8.
std::optional<uint16_t> ClearGrey(absl::string_view data,
                                  const PngSamples& samples) {
  constexpr uint32_t kGrey = 0;
  if (samples.colour_type != kGrey || data.size() != 2) return std::nullopt;
  const uint32_t largest = (1U << samples.bits) - 1;
  const uint32_t sample = *ReadUnsigned(data, 0, 2, ByteOrder::kBig) & largest;
  return static_cast<uint16_t>(samples.bits < 8 ? sample * (255 / largest)
                                                : sample);
}

struct PngChunk {
  absl::string_view type;
  absl::string_view data;
};

// The chunk at the front of `rest`, which then begins after it; nullopt where
// the bytes end first.
std::optional<PngChunk> NextPngChunk(absl::string_view& rest) {
  const std::optional<uint32_t> length =
      ReadUnsigned(rest, 0, 4, ByteOrder::kBig);
  if (!length || rest.size() < kChunkOverhead + *length) return std::nullopt;
  const PngChunk chunk{.type = rest.substr(4, 4),
                       .data = rest.substr(8, *length)};
  rest.remove_prefix(kChunkOverhead + *length);
  return chunk;
}

}  // namespace

absl::StatusOr<ImageLayout> ReadPngLayout(absl::string_view bytes) {
  ImageLayout layout{.header = {.format = ImageFormat::kPng}};
  absl::string_view rest = bytes.substr(kSignatureSize);
  const std::optional<PngChunk> first = NextPngChunk(rest);
  if (!first || first->type != "IHDR" || first->data.size() != 13) {
    return BadPng("does not begin with an image header");
  }
  ASSIGN_OR_RETURN(const PngSamples samples,
                   ReadImageHeader(first->data, layout));
  bool before_pixels = true;
  while (const std::optional<PngChunk> chunk = NextPngChunk(rest)) {
    if (chunk->type == "eXIf") {
      layout.orientation = ReadExifOrientation(chunk->data);
    }
    if (chunk->type == "tRNS" && before_pixels && !layout.clear_grey) {
      layout.clear_grey = ClearGrey(chunk->data, samples);
    }
    if (chunk->type == "IDAT") before_pixels = false;
    if (chunk->type == "IEND") return layout;
  }
  return BadPng("ends before its last chunk: it is truncated");
}

}  // namespace saliency
