// From a raw map at layer resolution to the numbers that are handed out:
// resized, smoothed, summarised, normalised, and laid back onto the image.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_FINISHED_MAP_H_
#define SALIENCY_CORE_ENGINE_FINISH_FINISHED_MAP_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/attribution/postprocess.h"
#include "core/base/input_config.h"
#include "core/engine/job.h"
#include "core/engine/plan/prepare_input.h"

namespace saliency {

struct FinishedMap {
  at::Tensor values;    // [h,w] float32, CPU, contiguous
  MapSummary summary;   // of the region alone, before normalising; the point is
                        // in pixels of the whole map
  PixelRect region;     // where the model looked
  int64_t image_y = 0;  // the summary's point, in pixels of the image
  int64_t image_x = 0;
};

// Where a map goes.
struct MapPlacement {
  ImageGeometry image;  // as decoded
  ImageGeometry shown;  // as maps of the image's size show it
  int64_t input_height = 0;
  int64_t input_width = 0;
};

// The part of a map that the model saw, resized to the output and smoothed:
// [1,h,w] float32.  `raw` is [H,W] float32, CPU.
at::Tensor SizeMap(const at::Tensor& raw, const MapPlacement& placement,
                   const OutputOptions& output);

// `values` [1,h,w], of the size that SizeMap gives, where they belong: at
// image size on a canvas of `outside`, and the point moved along.
FinishedMap PlaceMap(const at::Tensor& values, const MapSummary& summary,
                     float outside, const MapPlacement& placement,
                     const OutputOptions& output);

// Both, normalised in between when asked for.
// `raw` is [H,W] float32, CPU.  At image size the map covers the region the
// model saw; pixels outside hold the raw minimum (0 once normalised).
// A map with a non-finite value comes back with summary.finite = false and no
// values.
FinishedMap FinishMap(const at::Tensor& raw, const MapPlacement& placement,
                      const OutputOptions& output);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_FINISHED_MAP_H_
