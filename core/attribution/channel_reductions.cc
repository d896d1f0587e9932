#include "core/attribution/channel_reductions.h"

#include <ATen/ATen.h>

#include <cassert>
#include <limits>

#include "core/attribution/channel_reductions_cpu.h"

namespace saliency {
namespace {

// |t| over the channels.  Each row is divided by its largest magnitude first,
// so that squares neither vanish nor overflow; what is lost then is 1e-19 of
// the row's maximum.
at::Tensor Norm(const at::Tensor& values) {
  const at::Tensor largest = values.abs()
                                 .amax({1, 2, 3}, /*keepdim=*/true)
                                 .clamp_min(std::numeric_limits<float>::min());
  return (values / largest).square_().sum(1).sqrt_().mul_(largest.squeeze(1));
}

}  // namespace

at::Tensor ReduceByOperations(Reduction reduction, const at::Tensor& values) {
  switch (reduction) {
    case Reduction::kSum:
      return values.sum(1);
    case Reduction::kNorm:
      return Norm(values);
    case Reduction::kPositiveNorm:
      return Norm(values.clamp_min(0));
    case Reduction::kNegativeNorm:
      return Norm(values.clamp_max(0));
    case Reduction::kMax:
      return values.amax(1);
    case Reduction::kMin:
      return values.amin(1);
    case Reduction::kMaxAbs:
      return values.abs().amax(1);
  }
  return {};
}

at::Tensor ReduceChannels(Reduction reduction, const at::Tensor& values) {
  assert(values.dim() == 4 && values.scalar_type() == at::kFloat);
  if (values.is_cpu()) return ReduceOnCpu(reduction, values, nullptr);
  return ReduceByOperations(reduction, values);
}

at::Tensor ReduceProduct(Reduction reduction, const at::Tensor& a,
                         const at::Tensor& b) {
  assert(a.sizes() == b.sizes());
  if (a.is_cpu()) return ReduceOnCpu(reduction, a, &b);
  return ReduceByOperations(reduction, a * b);
}

at::Tensor WeightedChannelSum(const at::Tensor& values,
                              const at::Tensor& weights) {
  assert(values.size(0) == weights.size(0));
  assert(values.size(1) == weights.size(1));
  return (values * weights.unsqueeze(2).unsqueeze(3)).sum(1);
}

}  // namespace saliency
