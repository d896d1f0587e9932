// The dark bands above and below an overlay: how high they are, and how text
// stands in them.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_BAND_H_
#define SALIENCY_CORE_IMAGE_BAND_H_

#include <algorithm>
#include <cstdint>

#include "core/image/colour_map.h"
#include "core/image/image.h"
#include "core/image/render.h"
#include "core/image/text.h"

namespace saliency {

inline constexpr Rgb kBandGround = {24, 26, 31};
inline constexpr Rgb kBandText = {242, 243, 245};
inline constexpr double kSmallestBandText = 7;  // pixels, of an "H"

// Of one band over or under an image of this width.
inline int64_t BandHeight(int64_t width) {
  return std::clamp<int64_t>(width / 20, 20, kMaxBand);
}

inline int64_t BandMargin(int64_t band, int64_t width) {
  return std::min(band / 2, width / 16);
}

inline TextStyle BandTextStyle(int64_t band) {
  return {.capital_height =
              std::max(static_cast<double>(band) * 0.42, kSmallestBandText),
          .colour = kBandText};
}

// Fills `band` rows from `top` on.
inline void FillBand(int64_t top, int64_t band, Image& canvas) {
  for (int64_t i = top * canvas.width; i < (top + band) * canvas.width; ++i) {
    std::copy(kBandGround.begin(), kBandGround.end(), &canvas.rgb[3 * i]);
  }
}

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_BAND_H_
