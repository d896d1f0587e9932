// What stands behind a convolution, in one pass over memory: scale and shift of
// each channel (a batch norm in eval mode), a residual, a ReLU; and the way
// back through it with the sums that the gradients of scale and shift are.
// On two cores the network's time is as much in such passes as in arithmetic.
// Internal to the model room.  Pure functions; safe from any thread.
//
// Legend: R rows, K channels, any further axes; scales and shifts are [1,K] for
// all rows or [R,K], undefined: 1 and 0.

#ifndef SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_H_
#define SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_H_

#include "ATen/core/Tensor.h"

namespace saliency {

struct PerSampleAffine {
  at::Tensor scale;
  at::Tensor shift;
  at::Tensor residual;  // [R,K,...]; undefined: none
  bool relu = false;
};

// Writes relu(x scale + shift + residual) to `out`, which may be x itself.
// REQUIRES: x, residual and out [R,K,...] of one size and type, no autograd.
void ApplyRowAffine(const at::Tensor& x, const PerSampleAffine& affine,
                    const at::Tensor& out);

struct PerSampleAffineGradient {
  at::Tensor before_scale;  // [R,K,...] d/dx
  at::Tensor after_scale;   // [R,K,...] d/d(residual); undefined unless wanted
  at::Tensor sum;           // [R,K] of after_scale over positions: d/d(shift)
  at::Tensor product_sum;   // [R,K] of after_scale times `product`
};

struct PerSampleAffineBackward {
  at::Tensor gradient;  // [R,K,...] at the output
  at::Tensor output;    // the output, whose sign is the ReLU's; undefined: none
  at::Tensor scale;
  bool wants_after_scale = false;
  bool wants_sum = false;
  // What product_sum multiplies with, less `product_minus`; undefined: no
  // product_sum.
  at::Tensor product;
  at::Tensor product_minus;
};

PerSampleAffineGradient BackwardRowAffine(
    const PerSampleAffineBackward& backward);

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_H_
