// A convolution at each row's theta' in all its forms and memory orders, held
// against LibTorch's own convolution with the weight that autograd gives.

#include "core/kernels/stepped_conv.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/tensor_close.h"

namespace saliency::stepped_conv_test {
namespace {

// Other orders of sums of up to a few thousand products.
constexpr double kOtherForm = 1e-5;

struct Case {
  std::string name;
  int64_t channels_in, channels_out, size;
  ConvGeometry geometry;
  bool is_gram;
};

ConvGeometry ThreeByThree(int64_t stride = 1) {
  return {.kernel = {3, 3},
          .stride = {stride, stride},
          .padding_before = {1, 1},
          .padding_after = {1, 1}};
}

std::vector<Case> Cases() {
  ConvGeometry grouped = ThreeByThree();
  grouped.groups = 4;
  ConvGeometry dilated = ThreeByThree();
  dilated.dilation = dilated.padding_before = dilated.padding_after = {2, 2};
  return {
      // Rows beyond the cache.
      {"wide", 64, 64, 96, ThreeByThree(), false},
      {"wide with stride", 64, 48, 96, ThreeByThree(2), false},
      {"wide, pointwise", 64, 32, 96, {}, false},
      {"image", 3, 16, 96, ThreeByThree(), false},
      {"grouped", 16, 16, 20, grouped, false},
      {"dilated", 16, 24, 20, dilated, false},
      // Products large enough for a convolution's kernel.
      {"deep", 256, 256, 14, ThreeByThree(), true},
      {"deep with stride", 64, 96, 14, ThreeByThree(2), true},
      {"small products", 32, 48, 5, ThreeByThree(), true},
      {"mostly weights", 512, 128, 7, {}, true},
      {"pointwise with stride", 96, 128, 14, {.stride = {2, 2}}, true},
  };
}

class SteppedConvTest : public DeviceTest {
 protected:
  ~SteppedConvTest() override { SetChannelsLastIsSlow(is_slow_here_); }

  const bool is_slow_here_ = ChannelsLastIsSlow();
};
SALIENCY_INSTANTIATE_DEVICES(SteppedConvTest);

at::Tensor Convolve(const at::Tensor& x, const at::Tensor& weight,
                    const ConvGeometry& g) {
  return at::conv2d(x, weight, /*bias=*/{}, g.stride, g.padding_before,
                    g.dilation, g.groups);
}

at::Tensor Leaf(const at::Tensor& values) {
  return values.clone().set_requires_grad(true);
}

void ExpectExact(const Case& c, at::MemoryFormat comes_in, c10::Device device) {
  const ConvGeometry& geometry = c.geometry;
  const auto random = [&](at::IntArrayRef sizes) {
    return at::randn(sizes, at::kFloat).to(device);
  };
  const at::Tensor plain_weight =
      random({c.channels_out, c.channels_in / geometry.groups,
              geometry.kernel[0], geometry.kernel[1]}) *
      0.1;
  at::Tensor x =
      random({2, c.channels_in, c.size, c.size}).contiguous(comes_in);
  const at::MemoryFormat order = OrderOfConv(x, geometry);
  x = x.contiguous(order);
  const at::Tensor weight = plain_weight.contiguous(order);
  const at::Tensor y = at::randn_like(x);

  const at::Tensor x_leaf = Leaf(x.contiguous());
  const at::Tensor out = Convolve(x_leaf, plain_weight, geometry);
  EXPECT_TRUE(RowsClose(PlainConv(x, weight, geometry), out, kOtherForm));
  const at::Tensor g = random(out.sizes());
  EXPECT_TRUE(RowsClose(PlainConvBackward(g, x, weight, geometry),
                        torch::autograd::grad({out}, {x_leaf}, {g})[0],
                        kOtherForm));

  const std::vector<double> sizes = {0.01, -0.02};
  ASSERT_EQ(PrefersGram(x, g, weight, geometry), c.is_gram);
  const ConvStep step = MakeConvStep(x, g, weight, geometry, sizes);
  EXPECT_EQ(step.is_gram(), c.is_gram);
  EXPECT_EQ(step.is_explicit(), !c.is_gram);
  const at::Tensor h = random(out.sizes());
  const at::Tensor stepped = PlainConv(y, weight, geometry);
  const at::Tensor back = PlainConvBackward(h, y, weight, geometry);
  if (c.is_gram) {
    AddGramStep(step, y, geometry, stepped);
    AddGramStepBackward(step, h, geometry, back);
  }
  for (int64_t r = 0; r < 2; ++r) {
    SCOPED_TRACE(r);
    const auto row = [r](const at::Tensor& all) { return all.narrow(0, r, 1); };
    const at::Tensor w = Leaf(plain_weight);
    const at::Tensor moved =
        plain_weight -
        sizes[r] *
            torch::autograd::grad({Convolve(row(x).contiguous(), w, geometry)},
                                  {w}, {row(g)})[0];
    const at::Tensor y_leaf = Leaf(row(y).contiguous());
    const at::Tensor expected = Convolve(y_leaf, moved, geometry);
    const at::Tensor expected_back =
        torch::autograd::grad({expected}, {y_leaf}, {row(h)})[0];
    const at::Tensor actual =
        c.is_gram ? row(stepped) : PlainConv(row(y), step.weights[r], geometry);
    const at::Tensor actual_back =
        c.is_gram
            ? row(back)
            : PlainConvBackward(row(h), row(y), step.weights[r], geometry);
    EXPECT_TRUE(RowsClose(actual, expected, kOtherForm));
    EXPECT_TRUE(RowsClose(actual_back, expected_back, kOtherForm));
    // The step is large enough to be seen.
    EXPECT_FALSE(RowsClose(actual, row(PlainConv(y, weight, geometry)),
                           100 * kOtherForm));
  }
}

TEST_P(SteppedConvTest, EveryFormInEitherMemoryOrderIsTheSteppedConvolution) {
  torch::manual_seed(3);
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    for (const bool slow : {false, true}) {
      for (const auto order :
           {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        SCOPED_TRACE(testing::Message() << order << (slow ? ", slow" : ""));
        SetChannelsLastIsSlow(slow);
        ExpectExact(c, order, device());
      }
    }
  }
}

TEST_P(SteppedConvTest, WhatIsWideLiesInPlanesWhereChannelsLastIsSlow) {
  const auto nchw = [&](at::IntArrayRef sizes, const ConvGeometry& geometry,
                        at::MemoryFormat order) {
    const at::Tensor x = at::zeros(sizes).to(device()).contiguous(order);
    return OrderOfConv(x, geometry) == at::MemoryFormat::Contiguous;
  };
  constexpr auto kLast = at::MemoryFormat::ChannelsLast;
  const bool on_cpu = device().is_cpu();
  SetChannelsLastIsSlow(true);
  EXPECT_EQ(nchw({1, 64, 96, 96}, ThreeByThree(), kLast), on_cpu);
  EXPECT_FALSE(nchw({1, 64, 96, 96}, {}, kLast));
  // Alone too small, not so in a batch; what lies in NCHW order stays there.
  EXPECT_FALSE(nchw({1, 64, 56, 56}, ThreeByThree(), kLast));
  EXPECT_EQ(nchw({8, 64, 56, 56}, ThreeByThree(), kLast), on_cpu);
  EXPECT_EQ(nchw({1, 64, 56, 56}, ThreeByThree(), at::MemoryFormat::Contiguous),
            on_cpu);
  SetChannelsLastIsSlow(false);
  EXPECT_FALSE(
      nchw({1, 64, 96, 96}, ThreeByThree(), at::MemoryFormat::Contiguous));
}

}  // namespace
}  // namespace saliency::stepped_conv_test
