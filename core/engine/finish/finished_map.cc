#include "core/engine/finish/finished_map.h"

#include <ATen/ATen.h>

#include "core/attribution/smooth.h"
#include "core/engine/plan/shown_size.h"

namespace saliency {
namespace {

struct MapSize {
  int64_t height = 0;
  int64_t width = 0;
};

// Of the part of the map that the model's input covers.
MapSize CoveredSize(const at::Tensor& raw, const MapPlacement& placement,
                    const OutputOptions& output) {
  switch (output.size) {
    case OutputSize::kImage:
      return {placement.shown.region.height, placement.shown.region.width};
    case OutputSize::kLayer:
      break;
    case OutputSize::kModelInput:
      return {placement.input_height, placement.input_width};
    case OutputSize::kExplicit:
      return {output.height, output.width};
  }
  return {raw.size(0), raw.size(1)};
}

// Lays the region onto an image-sized canvas of `fill`.
at::Tensor OnCanvas(const at::Tensor& values, const ImageGeometry& image,
                    float fill) {
  at::Tensor canvas =
      at::full({image.height, image.width}, fill, values.options());
  const PixelRect& region = image.region;
  canvas.narrow(0, region.y, region.height)
      .narrow(1, region.x, region.width)
      .copy_(values);
  return canvas;
}

}  // namespace

at::Tensor SizeMap(const at::Tensor& raw, const MapPlacement& placement,
                   const OutputOptions& output) {
  const MapSize size = CoveredSize(raw, placement, output);
  at::Tensor map = raw.unsqueeze(0);
  if (size.height != raw.size(0) || size.width != raw.size(1)) {
    map = ResizeMaps(map, size.height, size.width);
  }
  return SmoothMaps(map, output.smooth_sigma);
}

FinishedMap PlaceMap(const at::Tensor& values, const MapSummary& summary,
                     float outside, const MapPlacement& placement,
                     const OutputOptions& output) {
  const int64_t height = values.size(1);
  const int64_t width = values.size(2);
  FinishedMap finished = {.values = values.squeeze(0),
                          .summary = summary,
                          .region = {.height = height, .width = width}};
  const PixelPoint on_image =
      MovePoint({.y = summary.point_y, .x = summary.point_x}, finished.region,
                placement.image.region);
  finished.image_y = on_image.y;
  finished.image_x = on_image.x;
  if (output.size == OutputSize::kImage) {
    const ImageGeometry& shown = placement.shown;
    finished.region = shown.region;
    finished.summary.point_y += shown.region.y;
    finished.summary.point_x += shown.region.x;
    if (height != shown.height || width != shown.width) {
      finished.values = OnCanvas(finished.values, shown, outside);
    }
  }
  finished.values = finished.values.contiguous();
  return finished;
}

FinishedMap FinishMap(const at::Tensor& raw, const MapPlacement& placement,
                      const OutputOptions& output) {
  const at::Tensor map = SizeMap(raw, placement, output);
  const MapSummary summary = SummariseMaps(map).front();
  if (!summary.finite) {
    return {.summary = summary,
            .region = {.height = map.size(1), .width = map.size(2)}};
  }
  return PlaceMap(output.normalise ? NormaliseMaps(map) : map, summary,
                  output.normalise ? 0.0F : summary.raw_min, placement, output);
}

}  // namespace saliency
