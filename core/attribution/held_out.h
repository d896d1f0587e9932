// Which images classifiers do not learn from and are judged by: the same
// share of each class, chosen by a seed.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ATTRIBUTION_HELD_OUT_H_
#define SALIENCY_CORE_ATTRIBUTION_HELD_OUT_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace saliency {

// Returns [M] bool, CPU, from labels [M,C] as SampledImages::labels.
//
// Of a class of n images, `share` of them, rounded but at least one and at
// most n - 1.  Of images of several classes each stands on one side: the
// rarest class is split first, and later ones make up what they lack (iterative
// stratification: Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011), so that
// a class may miss its share where all its images are spoken for.
// REQUIRES: share in (0,1).
at::Tensor ChooseHeldOut(const at::Tensor& labels, double share, uint64_t seed);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_HELD_OUT_H_
