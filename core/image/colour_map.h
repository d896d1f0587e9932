// Colour maps by name, as tables of 256 colours.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_COLOUR_MAP_H_
#define SALIENCY_CORE_IMAGE_COLOUR_MAP_H_

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

using Rgb = std::array<uint8_t, 3>;

struct ColourMap {
  std::array<Rgb, 256> colours = {};
  // Nothing happens at the middle instead of at 0.
  bool diverges = false;
};

// `name` as CheckColourMap takes it; empty: inferno.
absl::StatusOr<ColourMap> MakeColourMap(absl::string_view name);

// Those of a map: coolwarm by default where it is signed.
absl::StatusOr<ColourMap> ColourMapFor(absl::string_view name, bool is_signed);

// The colour of a place on the colours, in [-1,1] (colour_scale.h).
Rgb ColourAt(const ColourMap& map, double place);

// The row of the table for a value in [0,1]; beyond, and for NaN, the nearest
// end or 0.
inline uint8_t ColourLevel(float value) {
  if (!(value > 0)) return 0;
  return value < 1 ? static_cast<uint8_t>(value * 255.0F + 0.5F) : 255;
}

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_COLOUR_MAP_H_
