#include "client/cli/grid_sheet.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/console.h"
#include "client/cli/map_pixels.h"
#include "core/base/status.h"
#include "core/image/preprocess.h"
#include "core/image/render.h"

namespace saliency {
namespace {

constexpr int64_t kMaxCellHeight = 4096;

// "cat.jpg   tabby 93.2 %   squeezenet/1".
std::string Heading(const Grid& grid) {
  const v1::ComputeSaliencyResponse& response = grid.answer.response;
  const std::string& path = grid.answer.path;
  std::string heading = path.substr(path.rfind('/') + 1);
  for (const v1::SaliencyMap& map : response.maps()) {
    if (map.status().code() != 0) continue;
    absl::StrAppend(&heading, "   ", TargetText(map));
    break;
  }
  const v1::ModelRef& model = response.summary().model();
  return absl::StrCat(heading, "   ", model.name(), "/", model.version());
}

}  // namespace

absl::StatusOr<Image> CellImage(const std::string& bytes, int cell_width) {
  ASSIGN_OR_RETURN(const Image image, DecodeImage(bytes, DecodeLimits()));
  const int64_t height = std::max<int64_t>(
      1, std::llround(static_cast<double>(image.height) * cell_width /
                      static_cast<double>(image.width)));
  if (height > kMaxCellHeight) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image of ", image.height, "x", image.width, " gives cells ", height,
        " pixels high, above the limit of ", kMaxCellHeight,
        ": lower --cell-width"));
  }
  return ResizeImage(image, height, cell_width);
}

absl::StatusOr<SheetCell> MapCell(const Image& cell, const v1::SaliencyMap& map,
                                  const absl::Status& status,
                                  const MapStyle& style) {
  SheetCell made;
  if (!status.ok()) {
    made.note = OneLine(status.message());
    return made;
  }
  if (map.height() != cell.height || map.width() != cell.width) {
    return absl::InternalError(absl::StrCat(
        "the server's answer is malformed: a map of ", map.height(), "x",
        map.width(), " instead of ", cell.height, "x", cell.width));
  }
  ASSIGN_OR_RETURN(made.image, OverlayOn(cell, map, style));
  return made;
}

absl::StatusOr<std::string> SheetPng(const Grid& grid,
                                     const std::string& colour_map) {
  const int num_layers = static_cast<int>(grid.layers.size());
  const int num_methods = static_cast<int>(grid.methods.size());
  const int num_maps = grid.answer.response.maps_size();
  if (num_maps != num_layers * num_methods) {
    return absl::InternalError(
        absl::StrCat("the server's answer is malformed: ", num_maps,
                     " maps instead of ", num_layers * num_methods));
  }
  MapStyle style;
  style.colour_map = colour_map;
  style.title = false;
  std::vector<SheetCell> cells;
  for (int layer = 0; layer < num_layers; ++layer) {
    for (int method = 0; method < num_methods; ++method) {
      const int i = method * num_layers + layer;
      ASSIGN_OR_RETURN(SheetCell cell,
                       MapCell(grid.cell, grid.answer.response.maps(i),
                               grid.answer.MapStatus(i), style));
      cells.push_back(std::move(cell));
    }
  }
  ASSIGN_OR_RETURN(const Image sheet,
                   ContactSheet(grid.layers, grid.methods, cells, Heading(grid),
                                grid.cell.width));
  return EncodePng(sheet);
}

}  // namespace saliency
