#include "tests/image/made_images.h"

#include <algorithm>

namespace saliency {
namespace {

constexpr ByteOrder kBig = ByteOrder::kBig;
constexpr ByteOrder kLittle = ByteOrder::kLittle;

}  // namespace

std::string Bytes(uint32_t value, int size, ByteOrder order) {
  std::string bytes;
  for (int i = 0; i < size; ++i) {
    const int shift = 8 * (order == kBig ? size - 1 - i : i);
    bytes += static_cast<char>((value >> shift) & 0xFF);
  }
  return bytes;
}

std::string PngChunk(const std::string& type, const std::string& data) {
  return Bytes(static_cast<uint32_t>(data.size()), 4, kBig) + type + data +
         Bytes(0, 4, kBig);
}

std::string MadePng(uint32_t height, uint32_t width, int bits,
                    int colour_type) {
  std::string header = Bytes(width, 4, kBig) + Bytes(height, 4, kBig);
  header += static_cast<char>(bits);
  header += static_cast<char>(colour_type);
  header += std::string(3, '\0');
  return "\x89PNG\r\n\x1A\n" + PngChunk("IHDR", header) + PngChunk("IDAT", "") +
         PngChunk("IEND", "");
}

std::string JpegSegment(int marker, const std::string& payload) {
  return Bytes(0xFF00 | static_cast<uint32_t>(marker), 2, kBig) +
         Bytes(static_cast<uint32_t>(payload.size() + 2), 2, kBig) + payload;
}

std::string JpegOf(const std::string& middle) {
  return "\xFF\xD8" + middle + "\xFF\xD9";
}

std::string JpegFrame(uint32_t height, uint32_t width, int channels, int bits,
                      int marker) {
  std::string frame(1, static_cast<char>(bits));
  frame += Bytes(height, 2, kBig) + Bytes(width, 2, kBig);
  frame += static_cast<char>(channels);
  for (int i = 0; i < channels; ++i) {
    frame += static_cast<char>(i + 1);
    frame += std::string("\x11\0", 2);
  }
  return JpegSegment(marker, frame);
}

std::string JpegScan() {
  return JpegSegment(0xDA, std::string("\1\1\0\0\x3F\0", 6));
}

std::string MadeJpeg(uint32_t height, uint32_t width) {
  return JpegOf(JpegFrame(height, width) + JpegScan());
}

std::string WebpOf(
    const std::vector<std::pair<std::string, std::string>>& chunks) {
  std::string body = "WEBP";
  for (const auto& [type, data] : chunks) {
    body += type + Bytes(static_cast<uint32_t>(data.size()), 4, kLittle) + data;
    if (data.size() % 2 != 0) body += '\0';
  }
  return "RIFF" + Bytes(static_cast<uint32_t>(body.size()), 4, kLittle) + body;
}

std::string WebpCanvas(uint32_t height, uint32_t width, int flags) {
  return Bytes(static_cast<uint32_t>(flags), 4, kLittle) +
         Bytes(width - 1, 3, kLittle) + Bytes(height - 1, 3, kLittle);
}

std::string MadeWebp(uint32_t height, uint32_t width) {
  return WebpOf({{"VP8X", WebpCanvas(height, width)}});
}

std::string MadeBmp(const BmpFields& fields, size_t rows) {
  std::string header = Bytes(fields.header_size, 4, kLittle);
  const auto add = [&](int64_t value, int size) {
    header += Bytes(static_cast<uint32_t>(value), size, kLittle);
  };
  const bool is_core = fields.header_size == 12;
  add(fields.width, is_core ? 2 : 4);
  add(fields.height, is_core ? 2 : 4);
  add(1, 2);  // planes
  add(fields.bits, 2);
  if (!is_core) add(fields.compression, 4);
  if (!is_core) header += std::string(20, '\0');
  for (const uint32_t mask : fields.masks) add(mask, 4);
  header.resize(std::max<size_t>(header.size(), fields.header_size));
  const auto start = static_cast<uint32_t>(14 + header.size());
  return "BM" + Bytes(0, 4, kLittle) + Bytes(0, 4, kLittle) +
         Bytes(start, 4, kLittle) + header + std::string(rows, '\0');
}

std::string TiffOf(const std::vector<TiffField>& fields, ByteOrder order) {
  std::string tiff =
      order == kBig ? std::string("MM\0*", 4) : std::string("II*\0", 4);
  tiff += Bytes(8, 4, order);
  tiff += Bytes(static_cast<uint32_t>(fields.size()), 2, order);
  for (const TiffField& field : fields) {
    tiff += Bytes(field.tag, 2, order) + Bytes(field.type, 2, order) +
            Bytes(field.count, 4, order);
    const bool is_short = field.type == kTiffShort && field.count == 1;
    tiff += is_short ? Bytes(field.value, 2, order) + std::string(2, '\0')
                     : Bytes(field.value, 4, order);
  }
  return tiff + Bytes(0, 4, order);
}

std::vector<TiffField> GreyTiff(uint32_t height, uint32_t width) {
  return {{.tag = 256, .type = kTiffLong, .value = width},
          {.tag = 257, .type = kTiffLong, .value = height},
          {.tag = 258, .value = 8},
          {.tag = 259, .value = 1},
          {.tag = 262, .value = 1},
          {.tag = 273, .type = kTiffLong, .value = 0},
          {.tag = 277, .value = 1},
          {.tag = 279, .type = kTiffLong, .value = 8}};
}

std::vector<TiffField> With(std::vector<TiffField> fields,
                            const TiffField& field) {
  const auto at = std::lower_bound(
      fields.begin(), fields.end(), field.tag,
      [](const TiffField& other, uint32_t tag) { return other.tag < tag; });
  if (at != fields.end() && at->tag == field.tag) {
    *at = field;
  } else {
    fields.insert(at, field);
  }
  return fields;
}

std::string MadeTiff(uint32_t height, uint32_t width) {
  return TiffOf(GreyTiff(height, width));
}

}  // namespace saliency
