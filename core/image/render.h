// Maps as bytes: float32, 16-bit PNG, colour-mapped PNG, overlay on the
// picture; and contact sheets for the client.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_RENDER_H_
#define SALIENCY_CORE_IMAGE_RENDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/image/picture.h"

namespace saliency {

// A map as it is handed out.  `values` is row-major, height x width.
struct MapView {
  int64_t height = 0;
  int64_t width = 0;
  absl::Span<const float> values;
};

// "inferno" (default, perceptually ordered), "viridis", "magma", "turbo",
// "grey" for maps in [0,1]; "coolwarm" diverges around 0.5 and is what signed
// raw maps get by default.  Errors: INVALID_ARGUMENT for another name, listing
// the known ones.
absl::Status CheckColourMap(absl::string_view name);
absl::Span<const std::string> ColourMapNames();

// Little-endian float32, 4 x height x width bytes.
std::string EncodeFloat32(const MapView& map);

// The longest side of a PNG that libpng writes (and reads).
inline constexpr int64_t kMaxPngSide = 1'000'000;

// 16-bit grey PNG; 0 -> 0, 1 -> 65535, clamped.  `map` is in [0,1].
absl::StatusOr<std::string> EncodePng16(const MapView& map);

// 8-bit RGB PNG through a colour map.  `map` is in [0,1]; empty name: inferno.
absl::StatusOr<std::string> EncodeColourPng(const MapView& map,
                                            absl::string_view colour_map);

// The tallest band that a title is drawn in.
inline constexpr int64_t kMaxTitleBand = 72;

struct OverlayOptions {
  std::string colour_map;  // empty: inferno
  // In [0,1], of the map where it is strongest; 0 leaves the picture alone.
  float opacity = 0.55F;
  std::string title;        // drawn in a band above the picture; empty: none
  bool mark_point = false;  // a ring around the argmax
  int64_t point_y = 0;
  int64_t point_x = 0;
};

// The map over the picture, as RGB PNG of the picture's size (plus the title's
// band).  `map` is in [0,1] and has the picture's size.
absl::StatusOr<std::string> EncodeOverlayPng(const Picture& picture,
                                             const MapView& map,
                                             const OverlayOptions& options);

// The same as pixels, for contact sheets.
absl::StatusOr<Picture> Overlay(const Picture& picture, const MapView& map,
                                const OverlayOptions& options);

// Errors (of all that make a PNG): INVALID_ARGUMENT a side above kMaxPngSide.
absl::StatusOr<std::string> EncodePng(const Picture& picture);

// One cell of a contact sheet.
struct SheetCell {
  Picture picture;  // empty: the cell shows `note` on grey
  std::string note;
};

// A table of pictures with titles: `rows` titles down the left, `columns`
// titles along the top, cells row-major (rows.size() x columns.size() of them),
// each scaled to `cell_width` keeping its aspect ratio.
absl::StatusOr<Picture> ContactSheet(absl::Span<const std::string> rows,
                                     absl::Span<const std::string> columns,
                                     absl::Span<const SheetCell> cells,
                                     absl::string_view heading,
                                     int64_t cell_width = 240);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_RENDER_H_
