// row_affine.h for tensors in the order of planes, [R,K,H,W] contiguous: where
// convolutions run in that order, laying their outputs out anew would cost more
// than this pass.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_ROW_AFFINE_PLANES_H_
#define SALIENCY_CORE_MODEL_ROW_AFFINE_PLANES_H_

#include "core/model/row_affine.h"

namespace saliency {

// Whether x lies in planes, on the CPU, float32.
bool IsInPlanes(const at::Tensor& x);

// As ApplyRowAffine and BackwardRowAffine.
// REQUIRES: IsInPlanes(x) and (out); of the output or, without a ReLU, the
// gradient.
void ApplyInPlanes(const at::Tensor& x, const RowAffine& affine,
                   const at::Tensor& out);
RowAffineGradient BackwardInPlanes(const RowAffineBackward& backward);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_ROW_AFFINE_PLANES_H_
