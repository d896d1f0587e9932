// per_sample_affine.h for tensors in NCHW order, [R,K,H,W] contiguous: where
// convolutions run in that order, laying their outputs out anew would cost more
// than this pass.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_NCHW_H_
#define SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_NCHW_H_

#include "core/kernels/per_sample_affine.h"

namespace saliency {

// Whether x lies in NCHW order, on the CPU, float32.
bool IsInPlanes(const at::Tensor& x);

// As ApplyRowAffine and BackwardRowAffine.
// REQUIRES: IsInPlanes(x) and (out); of the output or, without a ReLU, the
// gradient.
void ApplyInPlanes(const at::Tensor& x, const PerSampleAffine& affine,
                   const at::Tensor& out);
PerSampleAffineGradient BackwardInPlanes(
    const PerSampleAffineBackward& backward);

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_NCHW_H_
