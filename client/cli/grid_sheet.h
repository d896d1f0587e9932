// The contact sheet of `saliency grid`: one image and one class, layers down,
// methods across.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_GRID_SHEET_H_
#define SALIENCY_CLIENT_CLI_GRID_SHEET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/image_answer.h"
#include "client/cli/map_pixels.h"
#include "core/image/image.h"
#include "core/image/render.h"

namespace saliency {

// What is shown and what was answered.
struct Grid {
  Image cell;  // the image at the size of a cell
  std::vector<std::string> layers;
  std::vector<std::string> methods;
  ImageAnswer answer;  // method-major, maps of the size of `cell`
};

// Decodes an image and scales it to a cell.  The maps are asked for at this
// size too: at that of a photograph a sheet would be gigabytes.
// Errors: as DecodeImage; INVALID_ARGUMENT when cells would be more than 4096
//   pixels high.
absl::StatusOr<Image> CellImage(const std::string& bytes, int cell_width);

// The map over `cell`; where it failed, why.
// Errors: INTERNAL a map of another size; as OverlayOn.
absl::StatusOr<SheetCell> MapCell(const Image& cell, const v1::SaliencyMap& map,
                                  const absl::Status& status,
                                  const MapStyle& style);

// A PNG; cells of maps that failed say why.
// Errors: INTERNAL when the answer does not have the maps that were asked for.
absl::StatusOr<std::string> SheetPng(const Grid& grid,
                                     const std::string& colour_map);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_GRID_SHEET_H_
