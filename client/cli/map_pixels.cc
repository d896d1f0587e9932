#include "client/cli/map_pixels.h"

#include <cassert>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status.h"
#include "core/image/preprocess.h"

namespace saliency {
namespace {

std::vector<float> PixelValues(const v1::SaliencyMap& map) {
  std::vector<float> values(static_cast<size_t>(map.height()) * map.width());
  assert(map.data().size() == values.size() * sizeof(float));
  std::memcpy(values.data(), map.data().data(), map.data().size());
  return values;
}

MapColours ColoursOf(const v1::SaliencyMap& map, const MapStyle& style) {
  MapColours colours = {.colour_map = style.colour_map,
                        .scale = ScaleOf(map, style.form)};
  if (map.has_region()) {
    colours.region = {.y = map.region().y(),
                      .x = map.region().x(),
                      .height = map.region().height(),
                      .width = map.region().width()};
  }
  return colours;
}

}  // namespace

ImageCoding CodingFor(absl::string_view path) {
  if (absl::EndsWithIgnoreCase(path, ".jpg") ||
      absl::EndsWithIgnoreCase(path, ".jpeg")) {
    return ImageCoding::kJpeg;
  }
  return absl::EndsWithIgnoreCase(path, ".webp") ? ImageCoding::kWebp
                                                 : ImageCoding::kPng;
}

ColourScale ScaleOf(const v1::SaliencyMap& map, MapForm form) {
  const RawRange range = {.min = map.raw_min(),
                          .max = map.raw_max(),
                          .is_signed = map.is_signed() || map.raw_min() < 0,
                          .constant = map.constant()};
  switch (form) {
    case MapForm::kNormalised:
      return NormalisedScale(range);
    case MapForm::kRaw:
      return RawScale(range);
    case MapForm::kCombined:
      break;
  }
  return FullScale(range);
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

std::string TargetText(const v1::SaliencyMap& map) {
  const std::string text = ClassText(map.explained_class());
  return map.others().empty() ? text : absl::StrCat(text, " ", map.others());
}

std::string MapTitle(const v1::SaliencyMap& map) {
  return absl::StrCat(TargetText(map), "   ", map.method(), " @ ", map.layer());
}

absl::StatusOr<Image> OverlayOn(const Image& image, const v1::SaliencyMap& map,
                                const MapStyle& style) {
  const std::vector<float> values = PixelValues(map);
  OverlayOptions options = {.colours = ColoursOf(map, style),
                            .colour_bar = true,
                            .mark_point = !map.constant(),
                            .point_y = map.point().y(),
                            .point_x = map.point().x()};
  if (style.title) options.title = MapTitle(map);
  return Overlay(image, {map.height(), map.width(), values}, options);
}

absl::StatusOr<std::string> MapFile(const Image& image,
                                    const v1::SaliencyMap& map,
                                    const MapStyle& style, ImageCoding coding) {
  const bool same = map.height() == image.height && map.width() == image.width;
  if (!same && !style.over_image) {
    const std::vector<float> values = PixelValues(map);
    return EncodeColourPng({map.height(), map.width(), values},
                           ColoursOf(map, style));
  }
  ASSIGN_OR_RETURN(
      const Image overlay,
      OverlayOn(same ? image : ResizeImage(image, map.height(), map.width()),
                map, style));
  return EncodeImage(overlay, coding);
}

}  // namespace saliency
