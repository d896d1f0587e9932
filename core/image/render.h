// Maps as bytes: float32, 16-bit PNG, colour-mapped PNG, overlay on the
// image; and contact sheets for the client.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_RENDER_H_
#define SALIENCY_CORE_IMAGE_RENDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/input_config.h"
#include "core/image/colour_scale.h"
#include "core/image/image.h"

namespace saliency {

// A map as it is handed out.  `values` is row-major, height x width.
struct MapView {
  int64_t height = 0;
  int64_t width = 0;
  absl::Span<const float> values;
};

// "inferno" (default, perceptually ordered), "viridis", "magma", "turbo" and
// "grey" are sequential; "coolwarm" diverges around its middle and is what
// signed maps get by default.  Errors: INVALID_ARGUMENT for another name,
// listing the known ones.
absl::Status CheckColourMap(absl::string_view name);
absl::Span<const std::string> ColourMapNames();

// How values become colours.
struct MapColours {
  // Empty: inferno, or coolwarm for signed maps.  A sequential one shows the
  // magnitude of a signed map; coolwarm lends an unsigned one its upper half.
  std::string colour_map;
  ColourScale scale;
  // Where the model looked, in pixels of the map; beyond, nothing is drawn.
  // Empty: everywhere.
  PixelRect region;
};

// Little-endian float32, 4 x height x width bytes.
std::string EncodeFloat32(const MapView& map);

// 16-bit grey PNG; 0 -> 0, 1 -> 65535, clamped.  `map` is in [0,1].
absl::StatusOr<std::string> EncodePng16(const MapView& map);

// 8-bit RGB PNG of the map's size, the map's colours alone.
absl::StatusOr<std::string> EncodeColourPng(const MapView& map,
                                            const MapColours& colours);

// The highest band of an overlay, pixels.
inline constexpr int64_t kMaxBand = 72;

struct OverlayOptions {
  MapColours colours;
  // In [0,1], of the map where it is strongest; 0 leaves the image alone.
  float opacity = 0.65F;
  std::string title;        // drawn in a band above the image; empty: none
  bool colour_bar = false;  // in a band below: the colours and their raw values
  bool mark_point = false;  // a ring around the argmax
  int64_t point_y = 0;
  int64_t point_x = 0;
};

// The map over the image, with the bands that were asked for: more of the map
// shows where it is stronger, and at its zero the image alone.  `map` has the
// image's size.
absl::StatusOr<Image> Overlay(const Image& image, const MapView& map,
                              const OverlayOptions& options);

// Files of images.  JPEG and WebP lose a little and take a tenth of the
// bytes.
enum class ImageCoding { kPng, kJpeg, kWebp };

// The longest side that a file of this kind can have, pixels.
int64_t LongestSide(ImageCoding coding);

// Errors: INVALID_ARGUMENT a side that is too long.
absl::StatusOr<std::string> EncodeImage(const Image& image, ImageCoding coding);
absl::StatusOr<std::string> EncodePng(const Image& image);

// One cell of a contact sheet.
struct SheetCell {
  Image image;  // empty: the cell shows `note` on grey
  std::string note;
};

// A table of images with titles: `rows` titles down the left, `columns`
// titles along the top, cells row-major (rows.size() x columns.size() of them),
// each scaled to `cell_width` keeping its aspect ratio.
absl::StatusOr<Image> ContactSheet(absl::Span<const std::string> rows,
                                   absl::Span<const std::string> columns,
                                   absl::Span<const SheetCell> cells,
                                   absl::string_view heading,
                                   int64_t cell_width = 240);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_RENDER_H_
