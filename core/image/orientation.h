// The eight ways in which a camera may have been held.
// Source: Exif 2.32 (JEITA CP-3451), tag 274, whose numbers these are.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_ORIENTATION_H_
#define SALIENCY_CORE_IMAGE_ORIENTATION_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "core/image/image.h"

namespace saliency {

// What has to be done to the stored rows to see the image upright.
enum class Orientation {
  kUpright = 1,
  kMirror = 2,  // left and right swapped
  kTurn180 = 3,
  kFlip = 4,  // top and bottom swapped
  kTranspose = 5,
  kTurnRight = 6,  // by 90 degrees
  kTransverse = 7,
  kTurnLeft = 8,
};

// kUpright for a number that is none of the eight.
Orientation OrientationFromTag(uint32_t tag_value);

// The orientation in an EXIF block (with or without its leading "Exif\0\0");
// kUpright where the block holds none or is damaged: it is only a hint.
Orientation ReadExifOrientation(absl::string_view exif);

// The image as a person sees it.
Image Orient(Image stored, Orientation orientation);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_ORIENTATION_H_
