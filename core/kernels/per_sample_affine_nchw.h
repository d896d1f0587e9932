// The functions of per_sample_affine.h for contiguous tensors [R,K,H,W].  Some
// convolutions run in this order, and to copy their outputs into channels-last
// order would take longer than the pass that these functions save.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_NCHW_H_
#define SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_NCHW_H_

#include "core/kernels/per_sample_affine.h"

namespace saliency {

// Whether x is a contiguous float32 tensor of four axes on the CPU.
bool IsNchw(const at::Tensor& x);

// Do the same as ApplyPerSampleAffine and BackwardPerSampleAffine.
// REQUIRES: IsNchw holds for x and out; for the backward function it holds for
// the output or, when there was no ReLU, for the gradient.
void ApplyNchw(const at::Tensor& x, const PerSampleAffine& affine,
               const at::Tensor& out);
PerSampleAffineGradient BackwardNchw(const PerSampleAffineBackward& backward);

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_PER_SAMPLE_AFFINE_NCHW_H_
