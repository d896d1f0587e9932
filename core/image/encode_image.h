// Files of images out of OpenCV.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_ENCODE_IMAGE_H_
#define SALIENCY_CORE_IMAGE_ENCODE_IMAGE_H_

#include <opencv2/core.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "core/image/render.h"

namespace saliency {

// `pixels` is 8-bit BGR, or for PNG grey of 8 or 16 bits.  Errors:
// INVALID_ARGUMENT a side that is too long; INTERNAL.
absl::StatusOr<std::string> EncodePixels(const cv::Mat& pixels,
                                         ImageCoding coding);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_ENCODE_IMAGE_H_
