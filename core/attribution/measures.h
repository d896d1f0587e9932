// How alike two maps are.  (The measure itself, and the pointing game, are in
// core/base, because the client takes them without LibTorch.)
// Pure functions; safe from any thread; inputs are not modified.
//
// Source: Spearman's rank correlation as the paper uses it, sec. 4.1, 4.3, 4.5.

#ifndef SALIENCY_CORE_ATTRIBUTION_MEASURES_H_
#define SALIENCY_CORE_ATTRIBUTION_MEASURES_H_

#include <optional>
#include <vector>

#include "ATen/core/Tensor.h"

namespace saliency {

// Spearman's rank correlation of each map in `a` with the same row of `b`, in
// [-1,1]; tied values take their average rank.  None where it is undefined:
// either map is constant (the rule of MapSummary) or not finite.  Never 0 for
// want of an answer.
// REQUIRES: both [B,H,W] float32, of the same shape.
std::vector<std::optional<double>> Spearman(const at::Tensor& a,
                                            const at::Tensor& b);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_MEASURES_H_
