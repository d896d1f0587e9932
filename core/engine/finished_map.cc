#include "core/engine/finished_map.h"

#include <ATen/ATen.h>

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
    case OutputSize::kPicture:
      return {placement.picture.region.height, placement.picture.region.width};
    case OutputSize::kLayer:
      break;
    case OutputSize::kModelInput:
      return {placement.input_height, placement.input_width};
    case OutputSize::kExplicit:
      return {output.height, output.width};
  }
  return {raw.size(0), raw.size(1)};
}

// Lays the region onto a picture-sized canvas of `fill`.
at::Tensor OnCanvas(const at::Tensor& values, const PictureGeometry& picture,
                    float fill) {
  at::Tensor canvas =
      at::full({picture.height, picture.width}, fill, values.options());
  const PixelRect& region = picture.region;
  canvas.narrow(0, region.y, region.height)
      .narrow(1, region.x, region.width)
      .copy_(values);
  return canvas;
}

}  // namespace

FinishedMap FinishMap(const at::Tensor& raw, const MapPlacement& placement,
                      const OutputOptions& output) {
  const MapSize size = CoveredSize(raw, placement, output);
  at::Tensor map = raw.unsqueeze(0);
  if (size.height != raw.size(0) || size.width != raw.size(1)) {
    map = ResizeMaps(map, size.height, size.width);
  }
  map = SmoothMaps(map, output.smooth_sigma);
  FinishedMap finished = {
      .summary = SummariseMaps(map).front(),
      .region = {.height = size.height, .width = size.width}};
  if (!finished.summary.finite) return finished;
  if (output.normalise) map = NormaliseMaps(map);
  finished.values = map.squeeze(0);
  if (output.size == OutputSize::kPicture) {
    const PictureGeometry& picture = placement.picture;
    finished.region = picture.region;
    finished.summary.point_y += picture.region.y;
    finished.summary.point_x += picture.region.x;
    if (size.height != picture.height || size.width != picture.width) {
      finished.values =
          OnCanvas(finished.values, picture,
                   output.normalise ? 0.0F : finished.summary.raw_min);
    }
  }
  finished.values = finished.values.contiguous();
  return finished;
}

}  // namespace saliency
