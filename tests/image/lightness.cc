#include "tests/image/lightness.h"

#include <cmath>

namespace saliency {
namespace {

// IEC 61966-2-1.
double Linear(uint8_t value) {
  const double v = value / 255.0;
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

}  // namespace

double Lightness(const uint8_t* rgb) {
  const double y = 0.2126 * Linear(rgb[0]) + 0.7152 * Linear(rgb[1]) +
                   0.0722 * Linear(rgb[2]);
  return y <= 216.0 / 24389 ? y * 24389 / 27 : 116 * std::cbrt(y) - 16;
}

}  // namespace saliency
