// Superpixels of an image by SLIC: k-means over colour and position, in which a
// centre looks at the pixels around it alone.
// Pure function; safe from any thread.
//
// Source: Achanta, Shaji, Smith, Lucchi, Fua, Suesstrunk, "SLIC Superpixels
// Compared to State-of-the-Art Superpixel Methods", TPAMI 34(11), 2012, sec. 3.

#ifndef SALIENCY_CORE_ATTRIBUTION_SUPERPIXELS_H_
#define SALIENCY_CORE_ATTRIBUTION_SUPERPIXELS_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace saliency {

struct SlicOptions {
  int64_t segments = 50;  // at most so many; >= 1
  // What the way from one centre of the grid that they start on to the next
  // counts, in CIELAB's units of colour; > 0.
  double compactness = 10;
};

struct Superpixels {
  // [H,W] int64 on the CPU, in [0, count): numbers in the order in which
  // segments are met, row by row.
  at::Tensor labels;
  int64_t count = 0;
};

// Of `rgb` [3,H,W] float32 in [0,1] on the CPU.  Each segment is one piece, of
// pixels that lie side by side.  The same image gives the same segments.
Superpixels Slic(const at::Tensor& rgb, const SlicOptions& options);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_SUPERPIXELS_H_
