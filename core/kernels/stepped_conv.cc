#include "core/kernels/stepped_conv.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "core/kernels/pair_ref.h"
#include "core/kernels/position_products.h"

namespace saliency {
namespace {

// The products of all pairs of positions are one matrix: bound its size.
constexpr int64_t kMaxGramPositions = 4096;
// Multiplications of the explicit form are dearer: its weight gradients run row
// by row, and each row's weight is laid out anew.
constexpr double kExplicitCost = 1.2;

at::Tensor ChannelsLast(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

bool IsPointwise(const ConvGeometry& geometry) {
  constexpr std::array<int64_t, 2> kOnes = {1, 1}, kZeros = {0, 0};
  return geometry.kernel == kOnes && geometry.padding_before == kZeros &&
         geometry.groups == 1;
}

// For a channels-last image oneDNN lays a 1x1 kernel out in an order that
// takes longer than the convolution where positions are few: 2048 to 512
// channels at 7x7 take 1.9 ms, and 0.7 ms in the order of the weights.
bool IsMostlyWeights(const at::Tensor& x, const at::Tensor& weight,
                     const ConvGeometry& geometry) {
  return IsPointwise(geometry) && x.device().is_cpu() &&
         weight.numel() >= 2 * x.numel();
}

// oneDNN takes about a microsecond for each position, however few the weights
// are; a matrix product takes its time by the multiplications.
constexpr int64_t kFewWeights = 1 << 16;

bool IsMatrixProduct(const at::Tensor& weight, const ConvGeometry& geometry) {
  return IsPointwise(geometry) &&
         geometry.stride == std::array<int64_t, 2>{1, 1} &&
         weight.device().is_cpu() && weight.numel() < kFewWeights;
}

bool HasAvx512() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bw") != 0;
#else
  return false;
#endif
}

// Without AVX-512 oneDNN's kernels for channels-last tensors are slower than
// those in NCHW order: weight gradients up to four times (178 ms and
// 42 ms for one row of 64 to 64 channels at 224x224, two cores), the others
// twice where a row outgrows the cache (472 ms and 204 ms forward for eight
// such rows), half as much again where a batch does (26 ms and 17 ms at 56x56).
// Elsewhere, and for pointwise kernels, laying the tensors out anew costs more
// than it saves.
constexpr int64_t kRowBeyondCache = 1 << 18;  // elements
constexpr int64_t kBatchBeyondCache = 1 << 19;

std::atomic<bool>& SlowHere() {
  static std::atomic<bool> is_slow = !HasAvx512();
  return is_slow;
}

bool HasSlowChannelsLast(const at::Tensor& x, const ConvGeometry& geometry) {
  return ChannelsLastIsSlow() && x.device().is_cpu() && !IsPointwise(geometry);
}

bool LiesInPlanes(const at::Tensor& x) {
  return x.is_contiguous() && !x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool WantsPlanes(const at::Tensor& x, const ConvGeometry& geometry) {
  return HasSlowChannelsLast(x, geometry) &&
         (LiesInPlanes(x) || x.numel() > kBatchBeyondCache ||
          x.numel() > kRowBeyondCache * x.size(0));
}

// For output gradient g [R,K,H,W] the gradient of the weight [K,C/groups,kh,kw]
// (`of_weight`), or that of the input x [R,C,Hin,Win].  Of whichever it is the
// gradient, the size and the memory order alone are read.
at::Tensor Gradient(const at::Tensor& g, const at::Tensor& x,
                    const at::Tensor& weight, const ConvGeometry& geometry,
                    bool of_weight) {
  const auto gradients = at::convolution_backward(
      g, x, weight, c10::nullopt, PairRef(geometry.stride),
      PairRef(geometry.padding_before), PairRef(geometry.dilation),
      /*transposed=*/false, /*output_padding=*/{0, 0}, geometry.groups,
      {!of_weight, of_weight, false});
  return of_weight ? std::get<1>(gradients) : std::get<0>(gradients);
}

// Of this size, in NCHW order, its values never read.
at::Tensor UnreadLike(const at::Tensor& x) {
  return at::empty(x.sizes(), x.options());
}

// sum_u g_u patch(x)_u^T of one row, x [1,C,Hin,Win] and g [1,K,H,W]:
// [K,C/groups,kh,kw].
at::Tensor WeightGradient(const at::Tensor& x, const at::Tensor& g,
                          const at::Tensor& weight,
                          const ConvGeometry& geometry) {
  return HasSlowChannelsLast(x, geometry)
             ? Gradient(g.contiguous(), x.contiguous(), UnreadLike(weight),
                        geometry, /*of_weight=*/true)
             : Gradient(ChannelsLast(g), ChannelsLast(x), weight, geometry,
                        /*of_weight=*/true);
}

// W - size sum_u g_u patch(x)_u^T of one row, in W's memory order.
at::Tensor SteppedWeight(const at::Tensor& x, const at::Tensor& g,
                         const at::Tensor& weight, const ConvGeometry& geometry,
                         double size) {
  if (IsMatrixProduct(weight, geometry)) {
    return at::addmm(weight.flatten(1), ByPosition(g[0]).t(), ByPosition(x[0]),
                     /*beta=*/1, /*alpha=*/-size)
        .view(weight.sizes());
  }
  at::Tensor stepped = WeightGradient(x, g, weight, geometry)
                           .contiguous(weight.suggest_memory_format());
  return at::add_out(stepped, weight, stepped, /*alpha=*/-size);
}

}  // namespace

bool ChannelsLastIsSlow() { return SlowHere(); }
void SetChannelsLastIsSlow(bool is_slow) { SlowHere() = is_slow; }

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
  for (size_t r = 0; r < sizes.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    step.weights.push_back(SteppedWeight(
        x.narrow(0, row, 1), g.narrow(0, row, 1), weight, geometry, sizes[r]));
  }
  return step;
}

at::MemoryFormat OrderOfConv(const at::Tensor& x,
                             const ConvGeometry& geometry) {
  return WantsPlanes(x, geometry) ? at::MemoryFormat::Contiguous
                                  : at::MemoryFormat::ChannelsLast;
}

at::Tensor PlainConv(const at::Tensor& x, const at::Tensor& weight,
                     const ConvGeometry& geometry) {
  const auto convolve = [&](const at::Tensor& image, const at::Tensor& kernel) {
    return at::conv2d(image, kernel, /*bias=*/{}, PairRef(geometry.stride),
                      PairRef(geometry.padding_before),
                      PairRef(geometry.dilation), geometry.groups);
  };
  if (WantsPlanes(x, geometry)) {
    return convolve(x.contiguous(), weight.contiguous());
  }
  const at::Tensor image =
      IsMostlyWeights(x, weight, geometry) ? x.contiguous() : ChannelsLast(x);
  return ChannelsLast(convolve(image, weight));
}

at::Tensor PlainConvBackward(const at::Tensor& h, const at::Tensor& x,
                             const at::Tensor& weight,
                             const ConvGeometry& geometry) {
  if (WantsPlanes(x, geometry)) {
    return Gradient(h.contiguous(), UnreadLike(x), weight.contiguous(),
                    geometry, /*of_weight=*/false);
  }
  return Gradient(ChannelsLast(h), ChannelsLast(x), weight, geometry,
                  /*of_weight=*/false);
}

void AddGramStep(const ConvStep& step, const at::Tensor& y,
                 const ConvGeometry& geometry, const at::Tensor& out) {
  for (int64_t r = 0; r < y.size(0); ++r) {
    const PatchProducts products(step.x[r], geometry, out[r].sizes());
    const at::Tensor gram = products.With(y[r]);  // [N(v), N(u)]
    const at::Tensor g = ByPosition(step.g[r]);   // [N(u), K]
    const at::Tensor target = ByPosition(out[r]);
    if (gram.numel() * g.size(1) < kSmallProduct) {
      target.addmm_(gram, g, /*beta=*/1, /*alpha=*/-step.sizes[r]);
    } else if (LiesInPlanes(out)) {
      target.t().add_(RowsTimesRows(g.t(), gram), -step.sizes[r]);
    } else {
      target.add_(RowsTimesRows(gram, g.t()), -step.sizes[r]);
    }
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
