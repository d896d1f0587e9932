// The operator that stands for a stage in both passes of the fast meta path:
//
//   saliency::fused_op(Any run, int stage, Tensor x, Tensor? residual)
//       -> Tensor
//
// Pass 1 computes the stage at theta and, on the way back, its sites' steps.
// Pass 2 computes it at each row's theta'; where x asks for gradients the
// result does too, through the same theta'.
//
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_META_META_OPS_H_
#define SALIENCY_CORE_MODEL_META_META_OPS_H_

#include "core/model/meta/meta_run.h"

namespace saliency {

// Makes the operator known to LibTorch.  Idempotent.
void RegisterMetaOps();

using MetaRunPtr = c10::intrusive_ptr<MetaRun>;

// Pass 1 and pass 2; `residual` may be undefined.
at::Tensor RecordStage(const MetaRunPtr& run, const FusedOp& stage,
                       const at::Tensor& x, const at::Tensor& residual);
at::Tensor StepStage(const MetaRunPtr& run, const FusedOp& stage,
                     const at::Tensor& x, const at::Tensor& residual);

// W x + b and its like, at theta; differentiable.  What a stage does with
// tensors that it does not know how to treat.
at::Tensor PlainStage(const MetaRun& run, const FusedOp& stage,
                      const at::Tensor& x, const at::Tensor& residual);

// Whether x has the axes that the site expects, and the rows along the first.
bool Fits(const MetaRun& run, const FusedOp& stage, const at::Tensor& x);

// x in the order that the stage's convolution wants, or batch norms can go
// through in one pass; differentiable, and its gradient lies as x does.
at::Tensor InMemoryOrder(const ParameterizedOp& site, const at::Tensor& x);

// `gradient` in the memory order of `x`.  Each way back ends so:
// LibTorch 1.13's gelu_backward leaves its result unwritten where the gradient
// lies channels-last and the input in NCHW order.
at::Tensor InOrderOf(const at::Tensor& x, const at::Tensor& gradient);

// What an autograd function takes in the place of a tensor that is not there.
inline c10::optional<at::Tensor> IfDefined(const at::Tensor& tensor) {
  return tensor.defined() ? c10::make_optional(tensor) : c10::nullopt;
}

// scale and shift of a batch norm, or of a convolution's bias alone, [1,K] or
// [R,K] by those of its operands; undefined where there is nothing to do.
struct ScaleShift {
  at::Tensor scale, shift;
};
// `conv_bias`, `weight` and `bias` [1 or R,K] or undefined; `norm` null: no
// batch norm.
ScaleShift FoldNorm(const at::Tensor& conv_bias, const SiteWeights* norm,
                    const at::Tensor& weight, const at::Tensor& bias);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_META_OPS_H_
