// Places on the colours (colour_scale.h) as indices into tables of a colour or
// of a mix each: every map value then costs a multiplication and a look-up.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_COLOUR_PLACES_H_
#define SALIENCY_CORE_IMAGE_COLOUR_PLACES_H_

#include <array>

#include "core/image/colour_map.h"
#include "core/image/colour_scale.h"

namespace saliency {

// From -1 to 1; the middle one is exactly 0.
inline constexpr int kPlaces = 511;

inline double PlaceOfIndex(int index) { return (index - 255) / 255.0; }

// Clamped; NaN is the least.
inline int PlaceIndex(const ColourPlace& place, float value) {
  const float at = place.offset + place.factor * value;
  const float clamped =
      at > place.least ? (at < 1.0F ? at : 1.0F) : place.least;
  return static_cast<int>(255.0F * clamped + 255.5F);
}

inline std::array<Rgb, kPlaces> ColoursByPlace(const ColourMap& map) {
  std::array<Rgb, kPlaces> colours;
  for (int i = 0; i < kPlaces; ++i) colours[i] = ColourAt(map, PlaceOfIndex(i));
  return colours;
}

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_COLOUR_PLACES_H_
