// Reductions of the channel axis: the only places where a method looks at every
// value of an activation or a gradient.
// Pure functions; safe from any thread; inputs are not modified.
//
// Norms hold over the whole range of float32: gradients of 1e-20 are ordinary
// (a saturated softmax makes them), and their squares are zero.  A NaN or an
// infinity among the values makes the result not finite.

#ifndef SALIENCY_CORE_ATTRIBUTION_CHANNEL_REDUCTIONS_H_
#define SALIENCY_CORE_ATTRIBUTION_CHANNEL_REDUCTIONS_H_

#include "ATen/core/Tensor.h"

namespace saliency {

enum class Reduction {
  kSum,
  kNorm,          // L2
  kPositiveNorm,  // L2 of max(., 0)
  kNegativeNorm,  // L2 of min(., 0)
  kMax,
  kMin,
  kMaxAbs,
};

// Returns [B,H,W].  REQUIRES: values is [B,K,H,W] float32, K >= 1, any strides.
at::Tensor ReduceChannels(Reduction reduction, const at::Tensor& values);

// The same of the elementwise product, which is not kept.
// REQUIRES: a and b have the same shape.
at::Tensor ReduceProduct(Reduction reduction, const at::Tensor& a,
                         const at::Tensor& b);

// ReduceChannels by tensor operations alone: what devices without a kernel of
// ours run.  Here so that it can be held against that kernel on any machine.
at::Tensor ReduceByOperations(Reduction reduction, const at::Tensor& values);

// sum_k weights_k values_k.
// REQUIRES: values is [B,K,H,W], weights [B,K], both float32.
at::Tensor WeightedChannelSum(const at::Tensor& values,
                              const at::Tensor& weights);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_CHANNEL_REDUCTIONS_H_
