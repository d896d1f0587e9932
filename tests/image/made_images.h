// Encoded images put together byte by byte, to say what no writer says.
// Nothing behind the headers is fit for a decoder.

#ifndef SALIENCY_TESTS_IMAGE_MADE_IMAGES_H_
#define SALIENCY_TESTS_IMAGE_MADE_IMAGES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/image/byte_order.h"

namespace saliency {

// The lowest `size` bytes of `value`.
std::string Bytes(uint32_t value, int size, ByteOrder order);

// The checksum is 0: only a decoder would mind.
std::string PngChunk(const std::string& type, const std::string& data);
// Signature, header, an empty data chunk, end.
std::string MadePng(uint32_t height, uint32_t width, int bits = 8,
                    int colour_type = 2);

std::string JpegSegment(int marker, const std::string& payload);
// "\xFF\xD8" and `middle` and an end marker.
std::string JpegOf(const std::string& middle);
std::string JpegFrame(uint32_t height, uint32_t width, int channels = 3,
                      int bits = 8, int marker = 0xC0);
std::string JpegScan();
std::string MadeJpeg(uint32_t height, uint32_t width);

// A RIFF file of one chunk, or several.
std::string WebpOf(
    const std::vector<std::pair<std::string, std::string>>& chunks);
// The payload of VP8X.
std::string WebpCanvas(uint32_t height, uint32_t width, int flags = 0);
std::string MadeWebp(uint32_t height, uint32_t width);

struct BmpFields {
  uint32_t header_size = 40;
  int32_t height = 1;
  int32_t width = 1;
  int bits = 24;
  int compression = 0;
  std::vector<uint32_t> masks;  // directly behind a header of 40 bytes
};
// `rows` bytes of zeros follow.
std::string MadeBmp(const BmpFields& fields, size_t rows = 0);

enum TiffType : uint32_t { kTiffShort = 3, kTiffLong = 4 };
struct TiffField {
  uint32_t tag = 0;
  uint32_t type = kTiffShort;
  uint32_t count = 1;
  uint32_t value = 0;  // or where the values are
};
// One directory at byte 8 and nothing else.
std::string TiffOf(const std::vector<TiffField>& fields,
                   ByteOrder order = ByteOrder::kLittle);
// The fields of a grey 8-bit image.
std::vector<TiffField> GreyTiff(uint32_t height, uint32_t width);
// The same with the field of that tag replaced or added.
std::vector<TiffField> With(std::vector<TiffField> fields,
                            const TiffField& field);
std::string MadeTiff(uint32_t height, uint32_t width);

}  // namespace saliency

#endif  // SALIENCY_TESTS_IMAGE_MADE_IMAGES_H_
