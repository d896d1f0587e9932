// Source: WebP Container Specification and RFC 9649; RFC 6386, section 9.1 for
// the frame header of VP8.

#include <algorithm>
#include <optional>

#include "core/base/status.h"
#include "core/image/byte_order.h"
#include "core/image/image_layout.h"

namespace saliency {
namespace {

constexpr size_t kRiffHeaderSize = 12;
constexpr size_t kChunkHeaderSize = 8;
constexpr uint32_t kAnimated = 0x02;

absl::Status BadWebp(absl::string_view problem) {
  return BadImage(ImageFormat::kWebp, problem);
}

std::optional<uint32_t> WebpField(absl::string_view bytes, size_t offset,
                                  size_t size) {
  return ReadUnsigned(bytes, offset, size, ByteOrder::kLittle);
}

struct WebpChunk {
  absl::string_view type;
  absl::string_view data;
};

// As libwebp does, takes a chunk's length as rounded up to even.
std::optional<WebpChunk> NextWebpChunk(absl::string_view& rest) {
  const std::optional<uint32_t> length = WebpField(rest, 4, 4);
  if (!length || rest.size() - kChunkHeaderSize < *length) return std::nullopt;
  const WebpChunk chunk{.type = rest.substr(0, 4),
                        .data = rest.substr(kChunkHeaderSize, *length)};
  rest.remove_prefix(std::min<size_t>(
      rest.size(), kChunkHeaderSize + size_t{*length} + *length % 2));
  return chunk;
}

absl::Status ReadLossy(absl::string_view data, ImageLayout& layout) {
  const std::optional<uint32_t> tag = WebpField(data, 0, 3);
  const std::optional<uint32_t> width = WebpField(data, 6, 2);
  const std::optional<uint32_t> height = WebpField(data, 8, 2);
  if (!tag || !width || !height) return BadWebp("ends before its frame header");
  const bool is_key_frame = (*tag & 1) == 0;
  if (!is_key_frame || data.substr(3, 3) != "\x9D\x01\x2A") {
    return BadWebp("has no key frame");
  }
  return SetSize(*height & 0x3FFF, *width & 0x3FFF, layout);
}

absl::Status ReadLossless(absl::string_view data, ImageLayout& layout) {
  const std::optional<uint32_t> bits = WebpField(data, 1, 4);
  if (!bits || data[0] != '\x2F')
    return BadWebp("has no lossless frame header");
  return SetSize(((*bits >> 14) & 0x3FFF) + 1, (*bits & 0x3FFF) + 1, layout);
}

absl::Status ReadExtended(absl::string_view data, absl::string_view rest,
                          ImageLayout& layout) {
  const std::optional<uint32_t> flags = WebpField(data, 0, 1);
  const std::optional<uint32_t> width = WebpField(data, 4, 3);
  const std::optional<uint32_t> height = WebpField(data, 7, 3);
  if (!flags || !width || !height)
    return BadWebp("has a short extended header");
  if ((*flags & kAnimated) != 0) {
    return BadWebp("is animated; still images are read");
  }
  RETURN_IF_ERROR(SetSize(int64_t{*height} + 1, int64_t{*width} + 1, layout));
  while (const std::optional<WebpChunk> chunk = NextWebpChunk(rest)) {
    if (chunk->type == "EXIF") {
      layout.orientation = ReadExifOrientation(chunk->data);
      break;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImageLayout> ReadWebpLayout(absl::string_view bytes) {
  ImageLayout layout{.header = {.format = ImageFormat::kWebp}};
  const uint32_t riff_size = *WebpField(bytes, 4, 4);
  if (riff_size > bytes.size() - kChunkHeaderSize) {
    return BadWebp("is shorter than its header says: it is truncated");
  }
  absl::string_view rest = bytes.substr(0, kChunkHeaderSize + riff_size);
  rest = From(rest, kRiffHeaderSize);
  const std::optional<WebpChunk> first = NextWebpChunk(rest);
  if (!first) return BadWebp("ends before its first chunk does");
  if (first->type == "VP8 ") {
    RETURN_IF_ERROR(ReadLossy(first->data, layout));
  } else if (first->type == "VP8L") {
    RETURN_IF_ERROR(ReadLossless(first->data, layout));
  } else if (first->type == "VP8X") {
    RETURN_IF_ERROR(ReadExtended(first->data, rest, layout));
  } else {
    return BadWebp("begins with a chunk of unknown type");
  }
  return layout;
}

}  // namespace saliency
