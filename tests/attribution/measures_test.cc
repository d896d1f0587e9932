#include "core/attribution/measures.h"

#include <torch/script.h>

#include <limits>

#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/naive_oracle.h"

namespace saliency::measures_test {
namespace {

class MeasuresTest : public DeviceTest {
 protected:
  at::Tensor Normal(uint64_t seed, at::IntArrayRef sizes) {
    torch::manual_seed(seed);
    return at::randn(sizes).to(device());
  }
  at::Tensor Row(std::vector<float> values) {
    return at::tensor(values, at::kFloat).view({1, 1, -1}).to(device());
  }
};
SALIENCY_INSTANTIATE_DEVICES(MeasuresTest);

TEST_P(MeasuresTest, SpearmanEqualsTheDefinition) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const at::Tensor a = Normal(seed, {3, 6, 9});
    // Related to a in row 0, opposed in row 1.
    at::Tensor b = Normal(seed + 100, {3, 6, 9});
    b[0] += 2 * a[0];
    b[1] -= 2 * a[1];
    const auto rho = Spearman(a, b);
    ASSERT_EQ(rho.size(), 3u);
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_NEAR(rho[row].value(), oracle::Spearman(a[row], b[row]), 1e-12);
    }
    EXPECT_GT(*rho[0], 0.5);
    EXPECT_LT(*rho[1], -0.5);
  }
}

TEST_P(MeasuresTest, TiesTakeTheirAverageRank) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    // Small whole numbers, half of them zero, as in a clamped map.
    const at::Tensor a = Normal(seed, {1, 8, 8}).mul(2).round().clamp_min(0);
    const at::Tensor b = (Normal(seed + 50, {1, 8, 8}) + a).mul(2).round();
    EXPECT_NEAR(Spearman(a, b)[0].value(), oracle::Spearman(a[0], b[0]), 1e-12);
  }
  // By hand: ranks 1.5 1.5 3 4 and 1 2 3.5 3.5.
  EXPECT_NEAR(Spearman(Row({0, 0, 1, 2}), Row({-1, 5, 7, 7}))[0].value(),
              8.0 / 9, 1e-12);
}

TEST_P(MeasuresTest, BothZerosAreOneValue) {
  const at::Tensor b = Row({-1, 5, 7, 7});
  EXPECT_EQ(Spearman(Row({0.0F, -0.0F, 1, 2}), b),
            Spearman(Row({0, 0, 1, 2}), b));
  EXPECT_EQ(Spearman(Row({-0.0F, 0.0F, -1e-38F, 1e-38F}), b),
            Spearman(Row({1, 1, 0, 2}), b));
}

TEST_P(MeasuresTest, AnyGrowingFunctionLeavesItAtOne) {
  const at::Tensor a = Normal(3, {1, 7, 7});
  EXPECT_EQ(Spearman(a, a)[0], 1.0);
  EXPECT_EQ(Spearman(a, a.exp())[0], 1.0);
  EXPECT_EQ(Spearman(a, -a)[0], -1.0);
}

TEST_P(MeasuresTest, MapsOfTinyNumbersAreOrdinary) {
  const at::Tensor a = Normal(4, {1, 7, 7});
  const at::Tensor b = Normal(5, {1, 7, 7});
  EXPECT_EQ(Spearman(a * 1e-20, b * 1e20), Spearman(a, b));
}

TEST_P(MeasuresTest, AConstantMapHasNoCorrelation) {
  at::Tensor a = Normal(6, {4, 5, 5});
  at::Tensor b = Normal(7, {4, 5, 5});
  a[0].fill_(0);
  b[1].fill_(3);
  b[2].fill_(3);
  b[2][1][1] += 1e-6F;  // rounding, not evidence
  const auto rho = Spearman(a, b);
  EXPECT_EQ(rho[0], std::nullopt);
  EXPECT_EQ(rho[1], std::nullopt);
  EXPECT_EQ(rho[2], std::nullopt);
  EXPECT_NE(rho[3], std::nullopt);
}

TEST_P(MeasuresTest, AMapThatIsNotFiniteHasNoCorrelation) {
  at::Tensor a = Normal(8, {3, 5, 5});
  a[0][2][2] = std::numeric_limits<float>::quiet_NaN();
  a[1][2][2] = std::numeric_limits<float>::infinity();
  const auto rho = Spearman(a, Normal(9, {3, 5, 5}));
  EXPECT_EQ(rho[0], std::nullopt);
  EXPECT_EQ(rho[1], std::nullopt);
  EXPECT_NE(rho[2], std::nullopt);
}

TEST_P(MeasuresTest, MemoryLayoutDoesNotMatter) {
  const at::Tensor a = Normal(1, {2, 5, 8});
  const at::Tensor b = Normal(2, {2, 5, 8});
  const at::Tensor turned = a.transpose(1, 2).contiguous().transpose(1, 2);
  EXPECT_EQ(Spearman(turned, b), Spearman(a, b));
}

}  // namespace
}  // namespace saliency::measures_test
