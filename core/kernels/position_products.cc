#include "core/kernels/position_products.h"

#include <ATen/ATen.h>

#include "core/kernels/pair_ref.h"
#include "core/kernels/tap_sums.h"

namespace saliency {
namespace {

// [C kh kw, H W].
at::Tensor Patches(const at::Tensor& x, const ConvGeometry& geometry) {
  return at::im2col(x.unsqueeze(0), PairRef(geometry.kernel),
                    PairRef(geometry.dilation),
                    PairRef(geometry.padding_before), PairRef(geometry.stride))
      .squeeze(0);
}

}  // namespace

at::Tensor ByPosition(const at::Tensor& x) {
  return x.permute({1, 2, 0}).reshape({x.size(1) * x.size(2), x.size(0)});
}

// LibTorch's convolutions are about twice as fast on the CPU as the matrix
// product of the BLAS it is built with, and in channels-last order a matrix
// product is a 1x1 convolution.
at::Tensor RowsTimesRows(const at::Tensor& a, const at::Tensor& b) {
  const int64_t rows = a.size(0), depth = a.size(1), columns = b.size(0);
  if (!a.device().is_cpu() || rows * columns * depth < kSmallProduct) {
    return at::mm(a, b.t());
  }
  const at::Tensor image = a.contiguous().as_strided(
      {1, depth, rows, 1}, {rows * depth, 1, depth, depth});
  const at::Tensor kernel = b.contiguous().as_strided({columns, depth, 1, 1},
                                                      {depth, 1, depth, depth});
  return ByPosition(at::conv2d(image, kernel).squeeze(0));
}

PatchProducts::PatchProducts(const at::Tensor& x, const ConvGeometry& geometry,
                             at::IntArrayRef out_sizes)
    : geometry_(geometry),
      in_{x.size(1), x.size(2)},
      out_{out_sizes[1], out_sizes[2]},
      x_(Read(x)) {}

bool PatchProducts::is_pointwise() const {
  constexpr std::array<int64_t, 2> kOnes = {1, 1}, kZeros = {0, 0};
  return geometry_.kernel == kOnes && geometry_.padding_before == kZeros;
}

bool PatchProducts::is_by_position() const {
  return is_pointwise() || geometry_.stride == std::array<int64_t, 2>{1, 1};
}

at::Tensor PatchProducts::Read(const at::Tensor& x) const {
  if (!is_pointwise()) return x;
  return x.slice(1, 0, c10::nullopt, geometry_.stride[0])
      .slice(2, 0, c10::nullopt, geometry_.stride[1]);
}

at::Tensor PatchProducts::With(const at::Tensor& y) const {
  const int64_t out = out_[0] * out_[1];
  if (!is_by_position()) {
    return at::mm(Patches(y, geometry_).t(), Patches(x_, geometry_));
  }
  const int64_t height = x_.size(1), width = x_.size(2);
  const at::Tensor single = RowsTimesRows(ByPosition(Read(y)), ByPosition(x_))
                                .view({height, width, height, width});
  return SumTaps(single, out_, geometry_).reshape({out, out});
}

at::Tensor PatchProducts::Backward(const at::Tensor& gradient) const {
  if (!is_by_position()) {
    const at::Tensor patches =
        at::mm(Patches(x_, geometry_), gradient.t()).unsqueeze(0);
    return at::col2im(patches, PairRef(in_), PairRef(geometry_.kernel),
                      PairRef(geometry_.dilation),
                      PairRef(geometry_.padding_before),
                      PairRef(geometry_.stride))
        .squeeze(0);
  }
  const int64_t channels = x_.size(0), height = x_.size(1), width = x_.size(2);
  const at::Tensor spread =
      SpreadTaps(gradient.view({out_[0], out_[1], out_[0], out_[1]}),
                 {height, width}, geometry_)
          .reshape({height * width, height * width});
  const at::Tensor read = at::mm(spread, ByPosition(x_))
                              .view({height, width, channels})
                              .permute({2, 0, 1});
  if (height == in_[0] && width == in_[1]) return read;
  const at::Tensor whole =
      at::zeros({channels, in_[0], in_[1]}, read.options());
  Read(whole).copy_(read);
  return whole;
}

}  // namespace saliency
