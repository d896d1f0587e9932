// From an image to a model's input, and back: which pixels of the image a
// map over the model's input lies on.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_PREPROCESS_H_
#define SALIENCY_CORE_IMAGE_PREPROCESS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/input_config.h"
#include "core/image/image.h"

namespace saliency {

struct PreparedImage {
  int64_t height = 0;  // of the model's input
  int64_t width = 0;
  std::vector<float> chw;  // [channels,height,width], after mean and std
  // The pixels of the image that the input shows: all of them but for
  // kCentreCrop, where it is those whose centre lies in the crop.
  PixelRect region;
};

// Antialiased bilinear as PIL and torchvision do it on 8-bit images (a
// triangle filter scaled by the shrinking factor, rounded to 8 bits after each
// of the two passes: horizontal, then vertical).
// REQUIRES: height, width >= 1.
Image ResizeImage(const Image& image, int64_t height, int64_t width);

// REQUIRES: config.takes_images().
// Errors: INVALID_ARGUMENT when kShortestSide would give an input of more than
//   `max_input_pixels` (a very long image).
absl::StatusOr<PreparedImage> Preprocess(const Image& image,
                                         const InputConfig& config,
                                         int64_t max_input_pixels = 16 << 20);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_PREPROCESS_H_
