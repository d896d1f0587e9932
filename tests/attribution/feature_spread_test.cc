#include "core/attribution/feature_spread.h"

#include <torch/script.h>

#include <limits>

#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/naive_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::feature_spread_test {
namespace {

class FeatureSpreadTest : public DeviceTest {
 protected:
  at::Tensor Normal(uint64_t seed, at::IntArrayRef sizes) {
    torch::manual_seed(seed);
    return at::randn(sizes).to(device());
  }
};
SALIENCY_INSTANTIATE_DEVICES(FeatureSpreadTest);

TEST_P(FeatureSpreadTest, EqualsTheDefinition) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    at::Tensor features = Normal(seed, {7, 5, 4, 3}) + 0.3;
    if (seed % 2 == 0) features = features.relu();
    FeatureSpread spread;
    ASSERT_TRUE(spread.Add(features).ok());
    EXPECT_NEAR(spread.Gamma().value(), oracle::FeatureSpread(features), 1e-6);
  }
}

TEST_P(FeatureSpreadTest, BatchesOfAnySizeGiveTheSame) {
  const at::Tensor features = Normal(1, {9, 4, 5, 5});
  FeatureSpread whole;
  ASSERT_TRUE(whole.Add(features).ok());
  FeatureSpread pieces;
  for (const auto& [first, count] : {std::pair{0, 1}, {1, 5}, {6, 3}}) {
    ASSERT_TRUE(pieces.Add(features.narrow(0, first, count)).ok());
  }
  EXPECT_EQ(pieces.images(), 9);
  EXPECT_NEAR(pieces.Gamma().value(), whole.Gamma().value(), 1e-7);
  EXPECT_TRUE(RowsClose(pieces.means(), features.mean({2, 3}), 1e-6));
}

TEST_P(FeatureSpreadTest, AChanceCountsAsThatManyImages) {
  const at::Tensor features = Normal(7, {3, 4, 2, 2});
  FeatureSpread weighted;
  ASSERT_TRUE(weighted.Add(features).ok());
  FeatureSpread repeated;
  for (const int64_t image : {0, 0, 0, 1, 2, 2}) {
    ASSERT_TRUE(repeated.Add(features.narrow(0, image, 1)).ok());
  }
  const at::Tensor chances = at::tensor({3.0, 1.0, 2.0}, at::kDouble) / 6;
  EXPECT_NEAR(weighted.Gamma(chances).value(), repeated.Gamma().value(), 1e-9);
}

// Of features that are never negative x_mu is the mean of the xbar_i, so that
// equal images have no spread; signed ones are measured from their magnitude.
TEST_P(FeatureSpreadTest, EqualImagesOfPositiveFeaturesHaveNoSpread) {
  const at::Tensor image = Normal(2, {1, 6, 3, 3}).abs();
  FeatureSpread spread;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(spread.Add(image).ok());
  EXPECT_NEAR(spread.Gamma().value(), 0, 1e-7);
}

TEST_P(FeatureSpreadTest, ResolutionDoesNotMatter) {
  const at::Tensor small = Normal(3, {5, 4, 2, 2}).relu();
  FeatureSpread coarse;
  ASSERT_TRUE(coarse.Add(small).ok());
  FeatureSpread fine;
  ASSERT_TRUE(fine.Add(small.repeat({1, 1, 4, 4})).ok());
  EXPECT_NEAR(fine.Gamma().value(), coarse.Gamma().value(), 1e-6);
}

TEST_P(FeatureSpreadTest, RefusesWhatDoesNotFitAndKeepsWhatItHas) {
  FeatureSpread spread;
  EXPECT_EQ(spread.Gamma().status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(spread.Add(Normal(4, {2, 4, 3, 3})).ok());
  const double gamma = spread.Gamma().value();
  EXPECT_EQ(
      spread.Add(Normal(5, {2, 5, 3, 3})),
      absl::InvalidArgumentError("features of 5 channels after features of 4"));
  at::Tensor bad = Normal(6, {2, 4, 3, 3});
  bad[1][2][0][0] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(spread.Add(bad).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(spread.images(), 2);
  EXPECT_EQ(spread.Gamma().value(), gamma);
}

}  // namespace
}  // namespace saliency::feature_spread_test
