// From what a decoder hands out to 8-bit RGB.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_RGB_ROWS_H_
#define SALIENCY_CORE_IMAGE_RGB_ROWS_H_

#include <opencv2/core.hpp>

#include "absl/status/statusor.h"
#include "core/image/image.h"
#include "core/image/image_layout.h"

namespace saliency {

// `decoded` holds 1 (grey), 3 (BGR) or 4 (BGR and alpha) channels of 8 or 16
// unsigned bits.  16 bits become 8 by round(255 v / 65535), before alpha and
// after a grey value that is clear has become white.
// Errors: INVALID_ARGUMENT another number or kind of channels.
absl::StatusOr<Image> ToRgb(const cv::Mat& decoded, const ImageLayout& layout);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_RGB_ROWS_H_
