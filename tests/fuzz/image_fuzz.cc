// Encoded images: the header readers of our own, and the decoders behind
// them.

#include <cstdint>

#include "core/image/image.h"
#include "tests/fuzz/require.h"

namespace saliency {
namespace {

constexpr DecodeLimits kLimits = {.max_bytes = 1 << 20, .max_pixels = 1 << 18};

void DecodeOne(absl::string_view bytes) {
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  const absl::StatusOr<Image> image = DecodeImage(bytes, kLimits);
  if (!header.ok()) {
    RequireRefusal(header.status());
    Require(!image.ok(), "what has no header has no pixels");
  }
  if (!image.ok()) return RequireRefusal(image.status());
  const int64_t pixels = image->height * image->width;
  Require(pixels >= 1 && pixels <= kLimits.max_pixels, "pixels are limited");
  Require(pixels == header->height * header->width,
          "the header tells the size");
  Require(static_cast<int64_t>(image->rgb.size()) == 3 * pixels,
          "every pixel is there");
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  saliency::DecodeOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
