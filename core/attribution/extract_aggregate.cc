#include "core/attribution/extract_aggregate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/windows.h"

namespace saliency {
namespace {

// Bias and scaling contribute one value per channel, so that aggregating is
// reducing the channels.
Reduction ReductionOf(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kSum:
    case Aggregate::kPositiveSum:
      return Reduction::kSum;
    case Aggregate::kNorm:
      return Reduction::kNorm;
    case Aggregate::kPositiveNorm:
      return Reduction::kPositiveNorm;
    case Aggregate::kMax:
      return Reduction::kMax;
    case Aggregate::kMaxAbs:
      return Reduction::kMaxAbs;
  }
  return Reduction::kSum;
}

// What the products x_j g_k of a (patch of) x and of g need to know about x at
// each position; [B,H,W] maps.  A convolution's aggregate is a function of one
// such reduction of x and the same reduction of g.
at::Tensor PatchReduction(Extract extract, Reduction reduction,
                          const at::Tensor& activation) {
  const at::Tensor reduced = ReduceChannels(reduction, activation);
  if (extract == Extract::kConv1x1) return reduced;
  // The channels are gone already: a window over one map, not over K.
  const at::Tensor map = reduced.unsqueeze(1);
  switch (reduction) {
    case Reduction::kSum:
      return BoxSum(map).squeeze(1);
    case Reduction::kMin:
      return PatchMin(map).squeeze(1);
    case Reduction::kMax:
    case Reduction::kMaxAbs:
      return PatchMax(map).squeeze(1);
    default:
      return BoxNorm(map).squeeze(1);
  }
}

// Conv1x1 and conv3x3: the contribution is the outer product of the patch of x
// and g.
at::Tensor Convolution(Extract extract, Aggregate aggregate,
                       const LayerRecord& record) {
  const auto x = [&](Reduction reduction) {
    return PatchReduction(extract, reduction, record.activation);
  };
  const auto g = [&](Reduction reduction) {
    return ReduceChannels(reduction, record.gradient);
  };
  switch (aggregate) {
    case Aggregate::kPositiveNorm:
      // A product is positive where both factors have the same sign.
      return at::hypot(
          x(Reduction::kPositiveNorm) * g(Reduction::kPositiveNorm),
          x(Reduction::kNegativeNorm) * g(Reduction::kNegativeNorm));
    case Aggregate::kMax: {
      // A bilinear form takes its maximum over a rectangle at a corner.
      const at::Tensor x_max = x(Reduction::kMax);
      const at::Tensor x_min = x(Reduction::kMin);
      const at::Tensor g_max = g(Reduction::kMax);
      const at::Tensor g_min = g(Reduction::kMin);
      return at::maximum(at::maximum(x_max * g_max, x_max * g_min),
                         at::maximum(x_min * g_max, x_min * g_min));
    }
    default: {
      const Reduction reduction = ReductionOf(aggregate);
      return x(reduction) * g(reduction);
    }
  }
}

at::Tensor Depthwise3x3(Aggregate aggregate, const LayerRecord& record) {
  const at::Tensor& x = record.activation;
  const at::Tensor& g = record.gradient;
  switch (aggregate) {
    case Aggregate::kSum:
    case Aggregate::kPositiveSum:
      return ReduceProduct(Reduction::kSum, g, BoxSum(x));
    case Aggregate::kNorm:
      return ReduceProduct(Reduction::kNorm, g, BoxNorm(x));
    case Aggregate::kPositiveNorm:
      return at::hypot(ReduceProduct(Reduction::kNorm, g.clamp_min(0),
                                     BoxNorm(x.clamp_min(0))),
                       ReduceProduct(Reduction::kNorm, g.clamp_max(0),
                                     BoxNorm(x.clamp_max(0))));
    case Aggregate::kMax:
      // Linear in the patch: its maximum is at the patch's largest value where
      // g_k > 0, at its smallest where g_k < 0.
      return at::maximum(ReduceProduct(Reduction::kMax, g, PatchMax(x)),
                         ReduceProduct(Reduction::kMax, g, PatchMin(x)));
    case Aggregate::kMaxAbs:
      return ReduceProduct(Reduction::kMaxAbs, g, PatchMax(x.abs()));
  }
  return {};
}

at::Tensor Contributions(Extract extract, Aggregate aggregate,
                         const LayerRecord& record) {
  switch (extract) {
    case Extract::kBias:
      return ReduceChannels(ReductionOf(aggregate), record.gradient);
    case Extract::kScaling:
      return ReduceProduct(ReductionOf(aggregate), record.gradient,
                           record.activation);
    case Extract::kConv1x1:
    case Extract::kConv3x3:
      return Convolution(extract, aggregate, record);
    case Extract::kDepthwise3x3:
      return Depthwise3x3(aggregate, record);
  }
  return {};
}

}  // namespace

at::Tensor ExtractAggregate(Extract extract, Aggregate aggregate,
                            const LayerRecord& record) {
  assert(record.activation.sizes() == record.gradient.sizes());
  const at::Tensor map = Contributions(extract, aggregate, record);
  return aggregate == Aggregate::kPositiveSum ? map.clamp_min(0) : map;
}

}  // namespace saliency
