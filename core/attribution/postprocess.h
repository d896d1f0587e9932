// From a raw map at layer resolution to the map that is handed out: resize,
// smooth (smooth.h), normalise, in this order.
// Pure functions; safe from any thread; inputs are not modified.
//
// Maps are [B,H,W] float32 on any device; output sizes are h x w.

#ifndef SALIENCY_CORE_ATTRIBUTION_POSTPROCESS_H_
#define SALIENCY_CORE_ATTRIBUTION_POSTPROCESS_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace saliency {

// Bilinear, align_corners = false, as torch.nn.functional.interpolate.
// Returns [B,height,width].  REQUIRES: height, width >= 1.
at::Tensor ResizeMaps(const at::Tensor& maps, int64_t height, int64_t width);

// What is reported of every map, taken before normalising.
struct MapSummary {
  bool finite = true;     // false: nothing below means anything
  bool constant = false;  // max - min <= 1e-6 max|m|: rounding, not evidence
  float raw_min = 0;
  float raw_max = 0;
  // The argmax; ties take the lowest row-major index.
  int64_t point_y = 0;
  int64_t point_x = 0;
};

// One entry per map, in order.  A map with a NaN or an infinity has
// finite = false.
std::vector<MapSummary> SummariseMaps(const at::Tensor& maps);

// (m - min) / (max - min) per map, in [0,1]; all zeros for a constant map.
// There is no absolute epsilon: maps of 1e-9 are ordinary.
at::Tensor NormaliseMaps(const at::Tensor& maps);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_POSTPROCESS_H_
