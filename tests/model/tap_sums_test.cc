// The one pass of the CPU against one axis after the other, and the way back as
// its transpose.

#include "core/kernels/tap_sums.h"

#include <torch/script.h>

#include <array>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/tensor_close.h"

namespace saliency::tap_sums_test {
namespace {

struct Case {
  ConvGeometry geometry;
  std::array<int64_t, 2> in, out;
};

std::vector<Case> Cases() {
  return {
      {{.kernel = {3, 3}, .padding_before = {1, 1}}, {6, 7}, {6, 7}},
      {{.kernel = {3, 3}}, {6, 7}, {4, 5}},
      {{.kernel = {1, 3}, .padding_before = {0, 1}}, {4, 5}, {4, 5}},
      {{.kernel = {5, 2}, .padding_before = {2, 1}}, {6, 5}, {6, 6}},
      {{.kernel = {3, 3}, .padding_before = {2, 2}, .dilation = {2, 2}},
       {5, 4},
       {5, 4}},
      // Taps that never meet the input.
      {{.kernel = {3, 3}, .padding_before = {3, 3}, .dilation = {3, 3}},
       {2, 3},
       {2, 3}},
      {{.kernel = {3, 3}, .padding_before = {2, 2}}, {1, 1}, {3, 3}},
  };
}

at::Tensor Random(const std::array<int64_t, 2>& size) {
  return at::randn({size[0], size[1], size[0], size[1]}, at::kDouble);
}

TEST(TapSumsTest, OnePassIsOneAxisAfterTheOther) {
  torch::manual_seed(5);
  for (const Case& c : Cases()) {
    const at::Tensor products = Random(c.in);
    const at::Tensor expected = SumTaps(products, c.out, c.geometry);
    const at::Tensor actual =
        SumTaps(products.to(at::kFloat), c.out, c.geometry);
    ASSERT_EQ(actual.sizes(), expected.sizes());
    EXPECT_TRUE(RowsClose(actual, expected, 1e-6));
  }
}

TEST(TapSumsTest, SpreadingIsItsTranspose) {
  torch::manual_seed(6);
  for (const Case& c : Cases()) {
    const at::Tensor products = Random(c.in), gradient = Random(c.out);
    const double forward =
        (SumTaps(products, c.out, c.geometry) * gradient).sum().item<double>();
    const double back = (products * SpreadTaps(gradient, c.in, c.geometry))
                            .sum()
                            .item<double>();
    EXPECT_NEAR(forward, back, 1e-9);
  }
}

TEST(TapSumsTest, APointwiseKernelLeavesProductsAsTheyAre) {
  const at::Tensor products = Random({2, 3});
  EXPECT_TRUE(SumTaps(products, {2, 3}, {}).is_same(products));
}

}  // namespace
}  // namespace saliency::tap_sums_test
