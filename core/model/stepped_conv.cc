#include "core/model/stepped_conv.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/model/position_products.h"

namespace saliency {
namespace {

// The products of all pairs of positions are one matrix: bound its size.
constexpr int64_t kMaxGramPositions = 4096;
// Multiplications of the explicit form are dearer: its weight gradients run row
// by row, and each row's weight is laid out anew.
constexpr double kExplicitCost = 1.2;

at::IntArrayRef Ref(const std::array<int64_t, 2>& pair) {
  return {pair.data(), pair.size()};
}

at::Tensor WeightGradient(const at::Tensor& x, const at::Tensor& g,
                          const at::Tensor& weight,
                          const ConvGeometry& geometry) {
  return std::get<1>(at::convolution_backward(
      g, x, weight, c10::nullopt, Ref(geometry.stride),
      Ref(geometry.padding_before), Ref(geometry.dilation),
      /*transposed=*/false, /*output_padding=*/{0, 0}, geometry.groups,
      {false, true, false}));
}

}  // namespace

bool PrefersGram(const at::Tensor& x, const at::Tensor& g,
                 const at::Tensor& weight, const ConvGeometry& geometry) {
  if (geometry.groups != 1) return false;
  const auto in = static_cast<double>(x.size(2) * x.size(3));
  const auto out = static_cast<double>(g.size(2) * g.size(3));
  if (std::max(in, out) > kMaxGramPositions) return false;
  const auto channels_in = static_cast<double>(x.size(1));
  const auto channels_out = static_cast<double>(g.size(1));
  const auto patch = static_cast<double>(weight[0].numel());
  const double products = geometry.stride == std::array<int64_t, 2>{1, 1}
                              ? in * in * channels_in
                              : out * out * patch;
  return products + out * out * channels_out <
         kExplicitCost * out * channels_out * patch;
}

ConvStep MakeConvStep(const at::Tensor& x, const at::Tensor& g,
                      const at::Tensor& weight, const ConvGeometry& geometry,
                      absl::Span<const double> sizes) {
  ConvStep step;
  if (PrefersGram(x, g, weight, geometry)) {
    step.x = x;
    step.g = g;
    step.sizes.assign(sizes.begin(), sizes.end());
    return step;
  }
  const at::MemoryFormat order = weight.suggest_memory_format();
  for (size_t r = 0; r < sizes.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    const at::Tensor gradient =
        WeightGradient(x.narrow(0, row, 1), g.narrow(0, row, 1), weight,
                       geometry)
            .contiguous(order);
    step.weights.push_back(gradient.mul_(-sizes[r]).add_(weight));
  }
  return step;
}

at::Tensor PlainConv(const at::Tensor& x, const at::Tensor& weight,
                     const ConvGeometry& geometry) {
  return at::conv2d(x, weight, /*bias=*/{}, Ref(geometry.stride),
                    Ref(geometry.padding_before), Ref(geometry.dilation),
                    geometry.groups);
}

at::Tensor PlainConvBackward(const at::Tensor& h, const at::Tensor& x,
                             const at::Tensor& weight,
                             const ConvGeometry& geometry) {
  return std::get<0>(at::convolution_backward(
      h, x, weight, c10::nullopt, Ref(geometry.stride),
      Ref(geometry.padding_before), Ref(geometry.dilation),
      /*transposed=*/false, /*output_padding=*/{0, 0}, geometry.groups,
      {true, false, false}));
}

void AddGramStep(const ConvStep& step, const at::Tensor& y,
                 const ConvGeometry& geometry, const at::Tensor& out) {
  for (int64_t r = 0; r < y.size(0); ++r) {
    const PatchProducts products(step.x[r], geometry, out[r].sizes());
    // [N(v), N(u)] x [N(u), K].
    const at::Tensor update = RowsTimesRows(
        products.With(y[r]),
        (ByPosition(step.g[r]).t() * -step.sizes[r]).contiguous());
    ByPosition(out[r]).add_(update);
  }
}

void AddGramStepBackward(const ConvStep& step, const at::Tensor& h,
                         const ConvGeometry& geometry,
                         const at::Tensor& gradient) {
  for (int64_t r = 0; r < h.size(0); ++r) {
    const PatchProducts products(step.x[r], geometry, h[r].sizes());
    const at::Tensor weights = RowsTimesRows(ByPosition(h[r]).contiguous(),
                                             ByPosition(step.g[r]).contiguous())
                                   .mul_(-step.sizes[r]);
    gradient[r].add_(products.Backward(weights));
  }
}

}  // namespace saliency
