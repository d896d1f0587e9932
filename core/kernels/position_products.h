// Scalar products between the patches of two inputs of one convolution, for all
// pairs of output positions: the Gram matrix of stepped_conv.h.
//
// With stride 1 a patch's product is the sum of products of single positions,
// <patch(x)_u, patch(y)_v> = sum_d <x_{u+d}, y_{v+d}>: so the positions are
// multiplied once, over C, and the kh kw shifts of that small matrix are added
// up, one axis after the other.  A 1x1 kernel of another stride is one of
// stride 1 on fewer positions; the rest lay the patches out.
//
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_KERNELS_POSITION_PRODUCTS_H_
#define SALIENCY_CORE_KERNELS_POSITION_PRODUCTS_H_

#include <array>

#include "ATen/core/Tensor.h"
#include "core/attribution/layer_record.h"

namespace saliency {

// [C,H,W] as a matrix [H W, C]; a view where memory allows it.
at::Tensor ByPosition(const at::Tensor& x);

// Below this many multiplications a product takes less than handing it to
// another kernel.
inline constexpr int64_t kSmallProduct = 1 << 23;

// a b^T of [M,D] and [N,D].
at::Tensor RowsTimesRows(const at::Tensor& a, const at::Tensor& b);

class PatchProducts {
 public:
  // `x` is [C,Hin,Win]; `out_sizes` [K,H,W] of the convolution's output.
  PatchProducts(const at::Tensor& x, const ConvGeometry& geometry,
                at::IntArrayRef out_sizes);

  // P(v,u) = <patch(y)_v, patch(x)_u>, [H W, H W].
  at::Tensor With(const at::Tensor& y) const;
  // d/dy [C,Hin,Win] for the gradient of P.
  at::Tensor Backward(const at::Tensor& gradient) const;

 private:
  bool is_pointwise() const;
  // Whether positions are multiplied, not patches.
  bool is_by_position() const;
  // The positions that a pointwise convolution reads; otherwise all.
  at::Tensor Read(const at::Tensor& x) const;

  const ConvGeometry geometry_;
  const std::array<int64_t, 2> in_, out_;  // H, W
  const at::Tensor x_;                     // what is read of it
};

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_POSITION_PRODUCTS_H_
