// The first principal component of channels over positions.
// Pure function; safe from any thread; the input is not modified.

#ifndef SALIENCY_CORE_ATTRIBUTION_PRINCIPAL_MAP_H_
#define SALIENCY_CORE_ATTRIBUTION_PRINCIPAL_MAP_H_

#include "ATen/core/Tensor.h"

namespace saliency {

// Of each row's values, as a matrix [H W, K] whose columns are centred: its
// projection on its first right singular vector, [B,H,W] float32.  The sign,
// which no decomposition fixes, is the one with which the map correlates
// positively with sum_k |values_k|.  Constant values give zeros; values that
// are not finite give a map that is not finite. REQUIRES: values is [B,K,H,W]
// float32.
at::Tensor PrincipalMap(const at::Tensor& values);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_PRINCIPAL_MAP_H_
