// What must be known of an encoded image before a decoder may see it: format,
// size, orientation, what a fourth channel means.  Read from untrusted bytes by
// our own code, one file per format; whatever is unsupported or contradicts
// itself is refused here.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_IMAGE_LAYOUT_H_
#define SALIENCY_CORE_IMAGE_IMAGE_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/image/image.h"
#include "core/image/orientation.h"

namespace saliency {

// How a decoded fourth channel enters the image.
enum class AlphaMeaning {
  kStraight,       // colours are laid over white by it
  kPremultiplied,  // colours are already multiplied by it
  kIgnored,        // padding
};

struct ImageLayout {
  ImageHeader header;
  Orientation orientation = Orientation::kUpright;
  AlphaMeaning alpha = AlphaMeaning::kStraight;
  // PNG: the value of a grey image that is transparent, of 8 or 16 bits as
  // decoded; of all keys the only one that the decoder does not see to.
  std::optional<uint16_t> clear_grey;
  // TIFF: where the directory entry of the orientation begins, if there is one.
  std::optional<size_t> tiff_orientation_entry;
};

// Errors: as ReadImageHeader.
absl::StatusOr<ImageLayout> ReadImageLayout(absl::string_view bytes);

// "JPEG", "PNG", "WebP", "BMP" or "TIFF".
absl::string_view FormatName(ImageFormat format);

// INVALID_ARGUMENT "the JPEG data <problem>".
absl::Status BadImage(ImageFormat format, absl::string_view problem);

// Stores the size in `layout`.
// Errors: INVALID_ARGUMENT a side that is 0 or above 2^31 - 1.
absl::Status SetSize(int64_t height, int64_t width, ImageLayout& layout);

// One reader per format.
// REQUIRES: the magic bytes of the format were seen.
absl::StatusOr<ImageLayout> ReadJpegLayout(absl::string_view bytes);
absl::StatusOr<ImageLayout> ReadPngLayout(absl::string_view bytes);
absl::StatusOr<ImageLayout> ReadWebpLayout(absl::string_view bytes);
absl::StatusOr<ImageLayout> ReadBmpLayout(absl::string_view bytes);
absl::StatusOr<ImageLayout> ReadTiffLayout(absl::string_view bytes);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_IMAGE_LAYOUT_H_
