#include "tests/attribution/random_records.h"

#include <torch/script.h>

#include <array>
#include <random>

namespace saliency {
namespace {

enum class Layout { kContiguous, kChannelsLast, kTransposed, kSliced };

int64_t Pick(std::mt19937_64& random, std::initializer_list<int64_t> values) {
  return *(values.begin() + random() % values.size());
}

// The same values in another layout.
at::Tensor InLayout(const at::Tensor& values, Layout layout) {
  switch (layout) {
    case Layout::kContiguous:
      return values;
    case Layout::kChannelsLast:
      return values.contiguous(at::MemoryFormat::ChannelsLast);
    case Layout::kTransposed:
      return values.transpose(2, 3).contiguous().transpose(2, 3);
    case Layout::kSliced:
      return at::cat({values, values}, 1).slice(1, 0, values.size(1));
  }
  return values;
}

Layout PickLayout(std::mt19937_64& random) {
  return std::array{Layout::kContiguous, Layout::kChannelsLast,
                    Layout::kTransposed, Layout::kSliced}[random() % 4];
}

at::Tensor Normal(std::mt19937_64& random, at::IntArrayRef sizes) {
  torch::manual_seed(random());
  return at::randn(sizes);
}

}  // namespace

LayerRecord RandomLayer(uint64_t seed, c10::Device device) {
  std::mt19937_64 random(seed);
  const std::array<int64_t, 4> sizes = {
      Pick(random, {1, 2, 3}), Pick(random, {1, 2, 3, 5, 8, 17}),
      Pick(random, {1, 2, 3, 7, 10}), Pick(random, {1, 2, 4, 7, 13})};
  at::Tensor x = Normal(random, sizes);
  switch (random() % 3) {
    case 0:  // after a ReLU
      x = x.relu();
      break;
    case 1:  // one sign only: a border's zeros are then the extreme
      x = -x.abs();
      break;
    default:
      break;
  }
  at::Tensor g = Normal(random, sizes);
  if (random() % 4 == 0) g = -g.abs();
  return {.activation = InLayout(x, PickLayout(random)).to(device),
          .gradient = InLayout(g, PickLayout(random)).to(device)};
}

ConvRecord RandomConv(uint64_t seed, c10::Device device) {
  std::mt19937_64 random(seed);
  const int64_t groups = Pick(random, {1, 1, 2, 3, 6});
  const int64_t in = 6 * Pick(random, {1, 2});
  const int64_t out = groups * Pick(random, {1, 2, 3});
  ConvGeometry geometry = {.groups = groups};
  std::array<int64_t, 2> size_in;
  std::array<int64_t, 2> size_out;
  for (size_t i = 0; i < 2; ++i) {
    geometry.kernel[i] = Pick(random, {1, 2, 3, 4, 5});
    geometry.stride[i] = Pick(random, {1, 1, 2, 3});
    geometry.dilation[i] = Pick(random, {1, 1, 2});
    geometry.padding_before[i] = Pick(random, {0, 1, 2});
    geometry.padding_after[i] = Pick(random, {0, 1, 2, 3});
    size_in[i] = Pick(random, {9, 10, 13});
    const int64_t reach = geometry.dilation[i] * (geometry.kernel[i] - 1) + 1;
    size_out[i] = (size_in[i] + geometry.padding_before[i] +
                   geometry.padding_after[i] - reach) /
                      geometry.stride[i] +
                  1;
  }
  const int64_t batch = Pick(random, {1, 2});
  return {.input = InLayout(Normal(random, {batch, in, size_in[0], size_in[1]}),
                            PickLayout(random))
                       .to(device),
          .output_gradient =
              InLayout(Normal(random, {batch, out, size_out[0], size_out[1]}),
                       PickLayout(random))
                  .to(device),
          .geometry = geometry};
}

MethodContext RandomContext(uint64_t seed, c10::Device device) {
  MethodContext context = {.layer = RandomLayer(seed, device),
                           .conv = RandomConv(seed, device),
                           .head_weights = {}};
  std::mt19937_64 random(seed + 1);
  const at::Tensor& x = context.layer.activation;
  context.head_weights = Normal(random, {x.size(0), x.size(1)}).to(device);
  // One batch: the convolution's first row serves every row.
  ConvRecord& conv = *context.conv;
  conv.input = conv.input.slice(0, 0, 1).repeat({x.size(0), 1, 1, 1});
  conv.output_gradient =
      conv.output_gradient.slice(0, 0, 1).repeat({x.size(0), 1, 1, 1});
  return context;
}

}  // namespace saliency
