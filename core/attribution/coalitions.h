// Which segments of an image each sample of LIME and of kernel SHAP leaves, and
// what its score weighs.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ATTRIBUTION_COALITIONS_H_
#define SALIENCY_CORE_ATTRIBUTION_COALITIONS_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/attribution/sampling.h"

namespace saliency {

// Of n samples over M segments, on the CPU.
struct Coalitions {
  at::Tensor kept;     // [n,M] bool: whether the sample leaves the segment
  at::Tensor weights;  // [n] float64, >= 0

  int64_t count() const { return kept.size(0); }
  int64_t segments() const { return kept.size(1); }
};

// Sample 0 leaves all, each other one each segment with probability 1/2.  They
// depend on seed and sizes alone.
// Source: Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938, sec. 3.3.
Coalitions LimeCoalitions(const Lime& method, int64_t segments);
// [n] float64 for [n,M] bool: exp(-d^2 / (2 width^2)), where d is 1 less the
// cosine between what a sample leaves and all.  As in the authors' package.
at::Tensor LimeWeights(const at::Tensor& kept, double width);

// Sample 0 leaves nothing and weighs nothing.  The others are coalitions of 1
// to M - 1 segments whose weights are in all those of the Shapley kernel, (M -
// 1) / (C(M,k) k (M - k)), over their sum: as many sizes as `samples` can hold
// whole, from the smallest and the largest on, and what is left of it in pairs
// of a random coalition and its complement.  So with 2^M - 2 samples or more
// all coalitions there are, each once.
// Source: Lundberg, Lee 2017, arXiv:1705.07874, theorem 2; pairs: Covert, Lee
// 2021, arXiv:2012.01536, sec. 4.2.
Coalitions ShapleyCoalitions(const KernelShap& method, int64_t segments);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_COALITIONS_H_
