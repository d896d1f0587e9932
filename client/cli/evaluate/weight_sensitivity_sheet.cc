#include "client/cli/evaluate/weight_sensitivity_sheet.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/evaluate/weight_sensitivity_metrics.h"
#include "client/cli/grid_sheet.h"
#include "client/cli/map_pixels.h"
#include "core/base/status.h"
#include "core/image/preprocess.h"
#include "core/image/render.h"

namespace saliency {
namespace {

absl::Status Malformed(absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("the server's answer is malformed: ", what));
}

// Which maps of a stage are those of the target, in order.
std::vector<int> MapsOf(const v1::MeasureWeightSensitivityResponse& stage,
                        int target) {
  std::vector<int> maps;
  for (int i = 0; i < stage.maps_size(); ++i) {
    if (stage.maps(i).map().target() == target) maps.push_back(i);
  }
  return maps;
}

absl::Status StatusOf(const v1::SaliencyMap& map) {
  return absl::Status(static_cast<absl::StatusCode>(map.status().code()),
                      map.status().message());
}

// All maps have the size of the first that is there.
absl::StatusOr<Image> CellFor(const CascadeSheet& sheet,
                              const std::vector<int>& maps) {
  ASSIGN_OR_RETURN(const Image image, DecodeImage(sheet.image, DecodeLimits()));
  for (const int i : maps) {
    const v1::SaliencyMap& map = sheet.stages.front().maps(i).map();
    if (map.status().code() != 0) continue;
    if (map.height() < 1 || map.width() < 1) break;
    return ResizeImage(image, map.height(), map.width());
  }
  return Malformed("no map of the model as it is has pixels");
}

std::string ColumnTitle(const v1::MeasureWeightSensitivityResponse& stage) {
  if (stage.stage() == 0) return "as it is";
  return absl::StrCat(stage.stage() > 1 ? "+ " : "", stage.module());
}

std::string Heading(const CascadeSheet& sheet, const v1::SaliencyMap& map) {
  const v1::ModelRef& model = sheet.stages.front().summary().model();
  return absl::StrCat(sheet.name, "   ", ClassText(map.explained_class()),
                      "   ", model.name(), "/", model.version());
}

}  // namespace

absl::StatusOr<std::string> CascadeSheetPng(const CascadeSheet& sheet) {
  if (sheet.stages.empty()) return Malformed("no stage");
  const std::vector<int> maps = MapsOf(sheet.stages.front(), sheet.target);
  ASSIGN_OR_RETURN(const Image cell, CellFor(sheet, maps));
  MapStyle style;
  style.title = false;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<SheetCell> cells;
  for (const auto& stage : sheet.stages) columns.push_back(ColumnTitle(stage));
  for (const int i : maps) {
    const v1::SaliencyMap& first = sheet.stages.front().maps(i).map();
    rows.push_back(CurveName(first.method(), first.layer()));
    for (const auto& stage : sheet.stages) {
      if (i >= stage.maps_size()) return Malformed("a stage lacks maps");
      const v1::SaliencyMap& map = stage.maps(i).map();
      ASSIGN_OR_RETURN(SheetCell made,
                       MapCell(cell, map, StatusOf(map), style));
      cells.push_back(std::move(made));
    }
  }
  ASSIGN_OR_RETURN(
      const Image image,
      ContactSheet(
          rows, columns, cells,
          Heading(sheet, sheet.stages.front().maps(maps.front()).map()),
          cell.width));
  return EncodePng(image);
}

}  // namespace saliency
