// How light a colour looks.

#ifndef SALIENCY_TESTS_IMAGE_LIGHTNESS_H_
#define SALIENCY_TESTS_IMAGE_LIGHTNESS_H_

#include <cstdint>

namespace saliency {

// CIE 1976 lightness L* of an sRGB colour, in [0,100].  A difference of 1 is
// just about seen.
double Lightness(const uint8_t* rgb);

}  // namespace saliency

#endif  // SALIENCY_TESTS_IMAGE_LIGHTNESS_H_
