// Computes what commonly follows a convolution in one pass over memory: a scale
// and a shift of each channel (a batch norm in eval mode), a residual that is
// added, and a ReLU.  The backward function computes, in one pass as well, the
// gradients of all of them.  LibTorch takes one pass for each; on two cores a
// network spends as much time on such passes as on arithmetic.
// Internal to the model room.  Pure functions; safe from any thread.
//
// Legend: R rows, K channels; a row has its own scale and shift after a meta
// step.  Scales and shifts are [R,K], or [1,K] where all rows share them; an
// undefined scale stands for 1 and an undefined shift for 0.

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
void ApplyPerSampleAffine(const at::Tensor& x, const PerSampleAffine& affine,
                          const at::Tensor& out);

struct PerSampleAffineGradient {
  // [R,K,...]: the gradient of x.
  at::Tensor before_scale;
  // [R,K,...]: the gradient of the residual, that is the output's gradient
  // where the ReLU let the value pass, else zero; undefined unless
  // wants_after_scale.
  at::Tensor after_scale;
  // [R,K]: the gradient of the shift, after_scale summed over positions;
  // undefined unless wants_sum or `product` is defined.
  at::Tensor sum;
  // [R,K]: after_scale times (product - product_minus), summed over positions;
  // undefined unless `product` is defined.  From this sum and the one above the
  // caller gets the gradient of the scale.
  at::Tensor product_sum;
};

struct PerSampleAffineBackward {
  at::Tensor gradient;  // [R,K,...]: the gradient of the output
  // [R,K,...]: the output, which is positive where the ReLU let a value pass;
  // undefined: there was no ReLU.
  at::Tensor output;
  at::Tensor scale;
  bool wants_after_scale = false;
  bool wants_sum = false;
  at::Tensor product;        // [R,K,...]; undefined: no product_sum is wanted
  at::Tensor product_minus;  // [R,K,...]; undefined: nothing is subtracted
};

PerSampleAffineGradient BackwardPerSampleAffine(
    const PerSampleAffineBackward& backward);

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_H_
