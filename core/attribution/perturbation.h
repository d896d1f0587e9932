// Methods that hide parts of the input and look at the score alone: which parts
// each sample hides, and how scores become a map.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ATTRIBUTION_PERTURBATION_H_
#define SALIENCY_CORE_ATTRIBUTION_PERTURBATION_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/attribution/method.h"
#include "core/attribution/sampling.h"

namespace saliency {

// The windows of an occlusion over an input of H x W, row by row.  Windows of a
// row start `stride` apart, the first at 0; the last one ends at the edge or is
// cut off there, so that each pixel lies in one or more.
class OcclusionWindows {
 public:
  // REQUIRES: CheckSampling(method) is OK.
  OcclusionWindows(const Occlusion& method, int64_t height, int64_t width);

  int64_t count() const { return rows_ * columns_; }
  // [H,W] float32: 1 in window number `index`, 0 elsewhere.
  at::Tensor Window(int64_t index) const;
  // [H,W] float64: in how many windows each pixel lies.
  at::Tensor Coverage() const;

 private:
  int64_t height_, width_, patch_, stride_, rows_, columns_;
};

// [H,W] float32 in [0,1]: what mask number `index` leaves of the image.  A grid
// of cells, each kept with `keep_probability`, drawn up to the input's size
// with bilinear interpolation and shifted by a random part of a cell.  It
// depends on the seed, the index and the size alone. REQUIRES:
// CheckSampling(method) is OK.
at::Tensor RiseMask(const Rise& method, int64_t index, int64_t height,
                    int64_t width);

// Makes [B,H,W]: each row's score on its region, MethodContext::score and
// MethodContext::region.
extern const Method kScoreOnRegion;

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_PERTURBATION_H_
