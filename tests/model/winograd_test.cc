// Gradients in tiles against LibTorch's own in double precision.

#include "core/model/winograd.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/tensor_close.h"

namespace saliency::winograd_test {
namespace {

// Of the largest value of a row; the header says 2e-5.
constexpr double kRounding = 3e-5;

ConvGeometry ThreeByThree(std::array<int64_t, 2> padding = {1, 1}) {
  return {
      .kernel = {3, 3}, .padding_before = padding, .padding_after = padding};
}

struct Case {
  std::string name;
  int64_t rows, channels_in, channels_out;
  std::array<int64_t, 2> size;
  ConvGeometry geometry = ThreeByThree();
};

std::vector<Case> Cases() {
  return {
      {"whole tiles", 2, 16, 32, {8, 12}},
      {"parts of tiles", 3, 5, 7, {9, 6}},
      {"not padded", 2, 8, 4, {10, 11}, ThreeByThree({0, 0})},
      {"padded by all taps", 1, 3, 2, {5, 7}, ThreeByThree({2, 1})},
      {"on both sides", 2, 3, 2, {5, 6}, ThreeByThree({2, 2})},
      {"one output", 2, 4, 4, {3, 3}, ThreeByThree({0, 0})},
      {"smaller than a kernel", 1, 2, 3, {1, 2}},
      {"one channel in", 2, 1, 5, {6, 6}},
      {"one channel out", 2, 5, 1, {6, 6}},
      // Far more than a cache holds: several strips.
      {"large", 2, 40, 24, {230, 218}},
  };
}

struct Operands {
  at::Tensor x, weight, g;
};

Operands RandomOperands(const Case& c) {
  const auto& padding = c.geometry.padding_before;
  return {at::randn({c.rows, c.channels_in, c.size[0], c.size[1]}),
          at::randn({c.channels_out, c.channels_in, 3, 3}),
          at::randn({c.rows, c.channels_out, c.size[0] + 2 * padding[0] - 2,
                     c.size[1] + 2 * padding[1] - 2})};
}

at::Tensor Leaf(const at::Tensor& values) {
  return values.to(at::kDouble).set_requires_grad(true);
}

TEST(WinogradTest, GradientsAreThoseOfDirectSums) {
  torch::manual_seed(8);
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    ASSERT_TRUE(HasWinogradForm(c.geometry));
    const Operands operands = RandomOperands(c);
    const at::Tensor x = Leaf(operands.x), weight = Leaf(operands.weight);
    const at::Tensor y = at::conv2d(x, weight, /*bias=*/{}, /*stride=*/1,
                                    c.geometry.padding_before);
    const auto expected =
        torch::autograd::grad({y}, {x, weight}, {operands.g.to(at::kDouble)});
    EXPECT_TRUE(RowsClose(
        WinogradInputGradient(operands.g, operands.weight, c.geometry),
        expected[0], kRounding));
    // As one row: a tap alone may come out near zero.
    EXPECT_TRUE(RowsClose(
        WinogradWeightGradient(operands.x, operands.g, c.geometry).unsqueeze(0),
        expected[1].unsqueeze(0), kRounding));
  }
}

at::Tensor ChannelsLast(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(WinogradTest, OperandsMayLieInAnyWay) {
  torch::manual_seed(9);
  const Case c = {"", 3, 6, 10, {9, 10}};
  const Operands operands = RandomOperands(c);
  const at::Tensor x = operands.x.narrow(0, 1, 1);
  const at::Tensor g = operands.g.narrow(0, 1, 1);
  const at::Tensor of_x =
      WinogradInputGradient(g.clone(), operands.weight, c.geometry);
  const at::Tensor of_weight =
      WinogradWeightGradient(x.clone(), g.clone(), c.geometry);
  EXPECT_TRUE(Identical(
      WinogradInputGradient(ChannelsLast(operands.g).narrow(0, 1, 1),
                            ChannelsLast(operands.weight).detach(), c.geometry),
      of_x));
  EXPECT_TRUE(
      Identical(WinogradWeightGradient(ChannelsLast(operands.x).narrow(0, 1, 1),
                                       g, c.geometry),
                of_weight));
  // The same row in a batch, and one that is expanded.
  EXPECT_TRUE(
      RowsClose(WinogradInputGradient(operands.g, operands.weight, c.geometry)
                    .narrow(0, 1, 1),
                of_x, kRounding));
  EXPECT_TRUE(Identical(WinogradInputGradient(g.expand({2, -1, -1, -1}),
                                              operands.weight, c.geometry)[1],
                        of_x[0]));
}

TEST(WinogradTest, ResultsHaveNoHistory) {
  const Case c = {"", 1, 2, 3, {5, 5}};
  Operands operands = RandomOperands(c);
  operands.x.set_requires_grad(true);
  operands.weight.set_requires_grad(true);
  EXPECT_FALSE(WinogradInputGradient(operands.g, operands.weight, c.geometry)
                   .requires_grad());
  EXPECT_FALSE(WinogradWeightGradient(operands.x, operands.g, c.geometry)
                   .requires_grad());
}

TEST(WinogradTest, WhatIsNotFiniteSpoilsItsTileAlone) {
  torch::manual_seed(10);
  const Case c = {"", 2, 3, 4, {12, 12}};
  for (const float value : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity()}) {
    SCOPED_TRACE(value);
    Operands operands = RandomOperands(c);
    operands.g[1][2][0][0] = value;
    const at::Tensor bad =
        WinogradInputGradient(operands.g, operands.weight, c.geometry)
            .isfinite()
            .logical_not();
    EXPECT_FALSE(bad[0].any().item<bool>());
    EXPECT_TRUE(bad[1].slice(1, 0, 2).slice(2, 0, 2).all().item<bool>());
    EXPECT_FALSE(bad[1].slice(1, 4).any().item<bool>());
    EXPECT_FALSE(bad[1].slice(2, 4).any().item<bool>());
  }
}

TEST(WinogradTest, EmptySidesThrow) {
  const ConvGeometry geometry = ThreeByThree({0, 0});
  const auto of_x = [&](at::IntArrayRef g, at::IntArrayRef weight) {
    return WinogradInputGradient(at::empty(g), at::empty(weight), geometry);
  };
  EXPECT_THROW(of_x({0, 4, 2, 2}, {4, 3, 3, 3}), c10::Error);
  EXPECT_THROW(of_x({1, 4, 0, 2}, {4, 3, 3, 3}), c10::Error);
  EXPECT_THROW(of_x({1, 4, 2, 2}, {4, 0, 3, 3}), c10::Error);
  EXPECT_THROW(WinogradWeightGradient(at::empty({2, 3, 2, 6}),
                                      at::empty({2, 4, 0, 4}), geometry),
               c10::Error);
}

TEST(WinogradTest, OtherGeometriesHaveNoSuchForm) {
  const auto has_form = [](auto change) {
    ConvGeometry geometry = ThreeByThree();
    change(geometry);
    return HasWinogradForm(geometry);
  };
  EXPECT_TRUE(has_form([](ConvGeometry&) {}));
  EXPECT_FALSE(has_form([](ConvGeometry& g) { g.stride = {2, 1}; }));
  EXPECT_FALSE(has_form([](ConvGeometry& g) { g.dilation = {1, 2}; }));
  EXPECT_FALSE(has_form([](ConvGeometry& g) { g.groups = 2; }));
  EXPECT_FALSE(has_form([](ConvGeometry& g) { g.kernel = {3, 1}; }));
  EXPECT_FALSE(has_form([](ConvGeometry& g) { g.padding_after = {0, 1}; }));
  EXPECT_FALSE(HasWinogradForm(ThreeByThree({0, 3})));
  EXPECT_FALSE(HasWinogradForm(ThreeByThree({3, 0})));
}

TEST(WinogradTest, ManyChannelsAndPositionsMakeItQuicker) {
  const auto of_x = [](at::IntArrayRef x, int64_t channels_out) {
    return IsInputGradientQuickerByWinograd(at::empty(x), channels_out,
                                            ThreeByThree());
  };
  const auto of_weight = [](at::IntArrayRef x, int64_t channels_out) {
    return IsWeightGradientQuickerByWinograd(at::empty(x), channels_out,
                                             ThreeByThree());
  };
  EXPECT_TRUE(of_x({8, 256, 56, 56}, 256));
  EXPECT_TRUE(of_x({8, 512, 14, 14}, 512));
  // The weights are laid out for few positions.
  EXPECT_FALSE(of_x({1, 512, 14, 14}, 512));
  EXPECT_FALSE(of_x({8, 3, 224, 224}, 64));
  EXPECT_TRUE(of_weight({1, 256, 56, 56}, 256));
  EXPECT_FALSE(of_weight({1, 256, 14, 14}, 256));
  EXPECT_FALSE(of_weight({1, 3, 224, 224}, 64));
  // Nothing to gain where there is nothing to do.
  EXPECT_FALSE(IsInputGradientQuickerByWinograd(at::empty({8, 512, 2, 400}),
                                                512, ThreeByThree({0, 0})));
  EXPECT_FALSE(of_x({0, 512, 14, 14}, 512));
}

}  // namespace
}  // namespace saliency::winograd_test
