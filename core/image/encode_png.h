// PNG files out of OpenCV.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_ENCODE_PNG_H_
#define SALIENCY_CORE_IMAGE_ENCODE_PNG_H_

#include <opencv2/core.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace saliency {

// `pixels` is grey of 8 or 16 bits or 8-bit BGR.
// Errors: INVALID_ARGUMENT a side above kMaxPngSide; INTERNAL.
absl::StatusOr<std::string> EncodePngPixels(const cv::Mat& pixels);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_ENCODE_PNG_H_
