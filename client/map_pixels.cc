#include "client/map_pixels.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status.h"
#include "core/image/render.h"

namespace saliency {
namespace {

constexpr char kDiverging[] = "coolwarm";

MapView View(const v1::SaliencyMap& map, const UnitMap& unit) {
  return {map.height(), map.width(), unit.values};
}

}  // namespace

UnitMap ToUnitMap(const v1::SaliencyMap& map, const MapStyle& style) {
  UnitMap unit;
  unit.values.resize(static_cast<size_t>(map.height()) * map.width());
  assert(map.data().size() == unit.values.size() * sizeof(float));
  std::memcpy(unit.values.data(), map.data().data(), map.data().size());
  unit.colour_map = style.colour_map;
  if (style.normalised) return unit;
  if (unit.colour_map.empty() && map.raw_min() < 0) {
    unit.colour_map = kDiverging;
  }
  double low = map.raw_min();
  double high = map.raw_max();
  if (unit.colour_map == kDiverging) {
    high = std::max(std::abs(low), std::abs(high));
    low = -high;
  }
  const double range = high - low;  // a constant map: 0, and all zeros
  for (float& value : unit.values) {
    const double scaled = range > 0 ? (value - low) / range : 0;
    value = static_cast<float>(std::clamp(scaled, 0.0, 1.0));
  }
  return unit;
}

std::string ClassText(const v1::ClassScore& score) {
  const bool has_probability = score.has_probability();
  const std::string name =
      !score.label().empty()
          ? score.label()
          : absl::StrCat(has_probability ? "class " : "output ",
                         score.class_index());
  return has_probability
             ? absl::StrFormat("%s %.1f %%", name, 100 * score.probability())
             : absl::StrFormat("%s %.6g", name, score.logit());
}

std::string MapTitle(const v1::SaliencyMap& map) {
  return absl::StrCat(ClassText(map.explained_class()), "   ", map.method(),
                      " @ ", map.layer());
}

absl::StatusOr<Picture> OverlayOn(const Picture& picture,
                                  const v1::SaliencyMap& map,
                                  const MapStyle& style) {
  const UnitMap unit = ToUnitMap(map, style);
  OverlayOptions options;
  options.colour_map = unit.colour_map;
  if (style.title) options.title = MapTitle(map);
  options.mark_point = !map.constant();
  options.point_y = map.point().y();
  options.point_x = map.point().x();
  return Overlay(picture, View(map, unit), options);
}

absl::StatusOr<std::string> MapPng(const Picture& picture,
                                   const v1::SaliencyMap& map,
                                   const MapStyle& style) {
  if (map.height() == picture.height && map.width() == picture.width) {
    ASSIGN_OR_RETURN(const Picture overlay, OverlayOn(picture, map, style));
    return EncodePng(overlay);
  }
  const UnitMap unit = ToUnitMap(map, style);
  return EncodeColourPng(View(map, unit), unit.colour_map);
}

}  // namespace saliency
