// A geometry's pair as LibTorch's operators take it.  Pure; safe from any
// thread.

#ifndef SALIENCY_CORE_KERNELS_PAIR_REF_H_
#define SALIENCY_CORE_KERNELS_PAIR_REF_H_

#include <array>
#include <cstdint>

#include "ATen/core/Tensor.h"

namespace saliency {

// A view: valid as long as `pair` lives.
inline at::IntArrayRef PairRef(const std::array<int64_t, 2>& pair) {
  return {pair.data(), pair.size()};
}

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_PAIR_REF_H_
