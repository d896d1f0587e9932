// Decoded images, and the way in from untrusted bytes.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_IMAGE_H_
#define SALIENCY_CORE_IMAGE_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

// 8-bit RGB, row-major, height x width x 3.  The size is that of the image as
// a person sees it: EXIF orientation is already applied.
struct Image {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> rgb;
};

struct DecodeLimits {
  int64_t max_bytes = 20 << 20;     // of the encoded image
  int64_t max_pixels = 40'000'000;  // read from the header, before decoding
};

enum class ImageFormat { kJpeg, kPng, kWebp, kBmp, kTiff };

// What the first bytes say.  Nothing is decoded.
struct ImageHeader {
  ImageFormat format = ImageFormat::kJpeg;
  int64_t height = 0;  // as stored, before orientation
  int64_t width = 0;
};

// Reads with bounds checks only; no decoder of a library is involved.
// Errors: INVALID_ARGUMENT unknown magic bytes, a truncated or contradictory
// header, or something that DecodeImage does not read: CMYK, animation, a
// sample format other than unsigned integers of at most 16 bits.
absl::StatusOr<ImageHeader> ReadImageHeader(absl::string_view bytes);

// Decodes JPEG, PNG, WebP, BMP or TIFF (first page).  Grey becomes RGB, alpha
// is laid over white, 16 bit is scaled to 8, EXIF orientation is applied.
// Embedded colour profiles are not.  A truncated file is refused, also where a
// decoder would fill in grey: a JPEG must reach its end marker.  About a file
// that is damaged further inside, the decoders print a line to stderr; no
// status carries their words. Errors: INVALID_ARGUMENT naming value and limit
// when too large, else what is
//   wrong with the bytes.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes,
                                  const DecodeLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_IMAGE_H_
