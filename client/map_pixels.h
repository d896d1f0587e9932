// From a map as the server sends it to pixels.
//
// Why overlays are made here and not asked of the server: one float32 answer
// then serves overlay, .npy and contact sheet alike, and the picture, which the
// client has anyway, does not travel back.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_MAP_PIXELS_H_
#define SALIENCY_CLIENT_MAP_PIXELS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/image/picture.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

struct MapStyle {
  std::string colour_map;  // empty: inferno, coolwarm for signed raw maps
  bool normalised = true;  // whether the server stretched the map to [0,1]
  bool title = true;
};

// A map in [0,1] and the colour map that suits it.
struct UnitMap {
  std::vector<float> values;
  std::string colour_map;
};

// A raw map is stretched between its minimum and maximum; for a diverging
// colour map 0 becomes 0.5 and the side that reaches further its end.
// REQUIRES: map.encoding() is float32 and map.data() has its size.
UnitMap ToUnitMap(const v1::SaliencyMap& map, const MapStyle& style);

// "tabby 93.2 %   norm_grad @ layer4".
std::string MapTitle(const v1::SaliencyMap& map);

// The class and how likely it is: "tabby 93.2 %", "class 281 93.2 %".
std::string ClassText(const v1::ClassScore& score);

// The map over its picture.  Errors: as Overlay in core/image/render.h.
absl::StatusOr<Picture> OverlayOn(const Picture& picture,
                                  const v1::SaliencyMap& map,
                                  const MapStyle& style);

// A PNG: the overlay when the map has the picture's size, else the map alone in
// colours.
absl::StatusOr<std::string> MapPng(const Picture& picture,
                                   const v1::SaliencyMap& map,
                                   const MapStyle& style);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_MAP_PIXELS_H_
