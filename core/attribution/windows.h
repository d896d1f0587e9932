// What a convolution's window makes of the map below it, without a convolution:
// sums and maxima over shifted slices.  (A convolution of ones would do too,
// but on a GPU it may run in TF32, whose sums are off by 1e-3.)
// Pure functions; safe from any thread; inputs are not modified.
//
// All tensors are [B,K,H,W] float32; windows act on each channel alone.  The
// zero padding takes part in sums and in maxima.

#ifndef SALIENCY_CORE_ATTRIBUTION_WINDOWS_H_
#define SALIENCY_CORE_ATTRIBUTION_WINDOWS_H_

#include <array>
#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/attribution/layer_record.h"

namespace saliency {

// Over 3 x 3, one zero around: same size out as in.
at::Tensor BoxSum(const at::Tensor& values);
at::Tensor PatchMax(const at::Tensor& values);
at::Tensor PatchMin(const at::Tensor& values);
// sqrt(BoxSum(values^2)), over the whole range of float32.
at::Tensor BoxNorm(const at::Tensor& values);

// sqrt of the sum of squares under each position of a convolution's window.
// Returns [B,K,height,width] for output_size {height, width}.
// REQUIRES: the geometry reaches that size from the size of `values`.
at::Tensor WindowNorm(const at::Tensor& values, const ConvGeometry& geometry,
                      std::array<int64_t, 2> output_size);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_WINDOWS_H_
