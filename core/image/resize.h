// Antialiased bilinear resizing, of the part of the result that is wanted.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_RESIZE_H_
#define SALIENCY_CORE_IMAGE_RESIZE_H_

#include <cstdint>

#include "core/base/input_config.h"
#include "core/image/image.h"

namespace saliency {

// What ResizeImage(image, height, width) shows inside `window`, at the cost
// of the window: the rest is never computed.
// REQUIRES: `window` is not empty and lies within height x width.
Image ResizeWindow(const Image& image, int64_t height, int64_t width,
                   const PixelRect& window);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_RESIZE_H_
