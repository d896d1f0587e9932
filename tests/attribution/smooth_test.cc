#include "core/attribution/smooth.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/naive_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::smooth_test {
namespace {

class SmoothTest : public DeviceTest {
 protected:
  at::Tensor Normal(uint64_t seed, at::IntArrayRef sizes) {
    torch::manual_seed(seed);
    return at::randn(sizes).to(device());
  }
};
SALIENCY_INSTANTIATE_DEVICES(SmoothTest);

// [size,size] float64: row i holds what each sample gives to the smoothed
// sample i, tap by tap.
at::Tensor GaussianMatrix(int64_t size, double sigma) {
  at::Tensor matrix = at::zeros({size, size}, at::kDouble);
  auto entry = matrix.accessor<double, 2>();
  const auto half = static_cast<int64_t>(std::ceil(4 * sigma));
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t d = -half; d <= half; ++d) {
      const double z = static_cast<double>(d) / sigma;
      entry[i][std::clamp<int64_t>(i + d, 0, size - 1)] +=
          std::exp(-0.5 * z * z);
    }
  }
  return matrix / matrix.sum(1, /*keepdim=*/true);
}

// The largest difference to smoothing in float64, over the map's range.
double RelativeError(const at::Tensor& map, double fraction) {
  const int64_t height = map.size(1);
  const int64_t width = map.size(2);
  const double sigma = fraction * static_cast<double>(std::max(height, width));
  const at::Tensor exact = map.cpu().to(at::kDouble)[0];
  const at::Tensor expected = GaussianMatrix(height, sigma)
                                  .mm(exact)
                                  .mm(GaussianMatrix(width, sigma).t());
  const at::Tensor got = SmoothMaps(map, fraction).cpu().to(at::kDouble)[0];
  const double range = (exact.max() - exact.min()).item<double>();
  return (got - expected).abs().max().item<double>() / (range > 0 ? range : 1);
}

TEST_P(SmoothTest, ANarrowOneEqualsTheSumByHand) {
  const int64_t sizes[][2] = {{12, 17}, {1, 9}, {9, 1}, {1, 1}, {20, 20}};
  for (const auto& [h, w] : sizes) {
    for (const double fraction : {0.02, 0.05, 0.1, 0.5}) {
      SCOPED_TRACE(testing::Message()
                   << h << "x" << w << " sigma " << fraction);
      const at::Tensor maps = Normal(h + 7 * w, {2, h, w});
      EXPECT_TRUE(RowsClose(SmoothMaps(maps, fraction),
                            oracle::Smooth(maps, fraction), 1e-5));
    }
  }
}

TEST_P(SmoothTest, KeepsConstantsAndSums) {
  const at::Tensor constant = at::full({1, 30, 40}, 0.7F).to(device());
  EXPECT_TRUE(RowsClose(SmoothMaps(constant, 0.05), constant, 1e-6));
  at::Tensor impulse = at::zeros({1, 41, 41}).to(device());
  impulse[0][20][18] = 3;  // its Gaussian ends before the border
  EXPECT_NEAR(SmoothMaps(impulse, 0.05).sum().item<double>(), 3, 1e-5);
}

TEST_P(SmoothTest, NoOrVanishingSigmaLeavesTheMap) {
  const at::Tensor maps = Normal(2, {2, 5, 6});
  EXPECT_TRUE(Identical(SmoothMaps(maps, 0), maps));
  EXPECT_TRUE(Identical(SmoothMaps(maps, 1e-300), maps));
}

// What is smooth already, noise, an edge, a point and a ramp (whose ends are
// where padding shows).
TEST_P(SmoothTest, AWideOneIsWithinItsStatedError) {
  const int64_t sizes[][2] = {{200, 300}, {301, 160}, {1, 2000},
                              {2000, 1},  {500, 33},  {160, 161}};
  for (const auto& [h, w] : sizes) {
    at::Tensor edge = at::zeros({1, h, w});
    edge.narrow(2, w / 3, w - w / 3).fill_(1);
    at::Tensor point = at::zeros({1, h, w});
    point[0][h / 2][w - 1] = 1;
    const at::Tensor ramp = at::arange(h * w, at::kFloat).view({1, h, w});
    const std::vector<at::Tensor> maps = {Normal(h + w, {1, h, w}),
                                          edge.to(device()), point.to(device()),
                                          ramp.to(device())};
    for (std::size_t i = 0; i < maps.size(); ++i) {
      for (const double fraction : {0.1, 0.17, 0.3, 0.5}) {
        SCOPED_TRACE(testing::Message()
                     << h << "x" << w << " map " << i << " sigma " << fraction);
        EXPECT_LE(RelativeError(maps[i], fraction), 5e-4);
      }
    }
  }
}

TEST_P(SmoothTest, BothWaysAgreeWhereTheyMeet) {
  const at::Tensor map = Normal(1, {1, 200, 320});
  for (const double sigma : {15.99, 16.0, 23.99, 24.0, 31.99}) {
    SCOPED_TRACE(sigma);
    EXPECT_LE(RelativeError(map, sigma / 320), 5e-4);
  }
}

TEST_P(SmoothTest, RowsOfABatchAreSmoothedEachOnItsOwn) {
  const at::Tensor maps = Normal(2, {3, 90, 200});
  const at::Tensor all = SmoothMaps(maps, 0.2);
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_TRUE(RowsClose(all.narrow(0, row, 1),
                          SmoothMaps(maps.narrow(0, row, 1), 0.2), 1e-6));
  }
}

// Tap by tap this would be 4e12 products.
TEST_P(SmoothTest, TheLargestMapsTakeSeconds) {
  for (const at::Tensor& map :
       {at::ones({1, 4000, 3000}), at::ones({1, 1, 12'000'000})}) {
    const at::Tensor smoothed = SmoothMaps(map.to(device()), 0.5);
    EXPECT_EQ(smoothed.sizes(), map.sizes());
    EXPECT_NEAR(smoothed.max().item<double>(), 1, 1e-5);
    EXPECT_NEAR(smoothed.min().item<double>(), 1, 1e-5);
  }
}

}  // namespace
}  // namespace saliency::smooth_test
