// From a map as the server sends it to pixels.
//
// Why overlays are made here and not asked of the server: one float32 answer
// then serves overlay, .npy and contact sheet alike, and the image, which the
// client has anyway, does not travel back.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_MAP_PIXELS_H_
#define SALIENCY_CLIENT_CLI_MAP_PIXELS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/image/colour_scale.h"
#include "core/image/image.h"
#include "core/image/render.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

// What the server made of a map.
enum class MapForm {
  kNormalised,  // to [0,1]
  kRaw,         // as it is
  kCombined,    // in [0,1], as its combination gives it
};

struct MapStyle {
  std::string colour_map;  // empty: inferno, coolwarm for signed maps
  MapForm form = MapForm::kNormalised;
  bool title = true;
  // Whether the maps lie on the whole image, which is then scaled to them.
  bool over_image = true;
};

// What the colours of a map mean, as on the server.
ColourScale ScaleOf(const v1::SaliencyMap& map, MapForm form);

// What the file's name ends in: JPEG for .jpg and .jpeg, WebP for .webp, else
// PNG.
ImageCoding CodingFor(absl::string_view path);

// "tabby 93.2 %", and what else is in the score: "tabby 93.2 % - tiger cat".
std::string TargetText(const v1::SaliencyMap& map);

// "tabby 93.2 %   norm_grad @ layer4".
std::string MapTitle(const v1::SaliencyMap& map);

// The class and how likely it is: "tabby 93.2 %", "class 281 93.2 %".
std::string ClassText(const v1::ClassScore& score);

// The map over its image, with a colour bar.
// REQUIRES: map.encoding() is float32 and map.data() has its size.
// Errors: as Overlay in core/image/render.h.
absl::StatusOr<Image> OverlayOn(const Image& image, const v1::SaliencyMap& map,
                                const MapStyle& style);

// A file: the overlay where the map lies on the image, else the map alone in
// colours, which is always a PNG.
absl::StatusOr<std::string> MapFile(const Image& image,
                                    const v1::SaliencyMap& map,
                                    const MapStyle& style, ImageCoding coding);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_MAP_PIXELS_H_
