// From products of single positions to products of patches, and the way back:
// <patch(y)_v, patch(x)_u> = sum_d <y_{v+d}, x_{u+d}>, d over the kernel's taps
// and what lies outside counting as zero (position_products.h).
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_KERNELS_TAP_SUMS_H_
#define SALIENCY_CORE_KERNELS_TAP_SUMS_H_

#include <array>

#include "ATen/core/Tensor.h"
#include "core/attribution/layer_record.h"

namespace saliency {

// Of `products` [Hin,Win,Hin,Win] the sums [H,W,H,W], `out` being H and W.
// REQUIRES: stride 1.
at::Tensor SumTaps(const at::Tensor& products,
                   const std::array<int64_t, 2>& out,
                   const ConvGeometry& geometry);

// Its transpose: of `gradient` [H,W,H,W] that of the products.
at::Tensor SpreadTaps(const at::Tensor& gradient,
                      const std::array<int64_t, 2>& in,
                      const ConvGeometry& geometry);

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_TAP_SUMS_H_
