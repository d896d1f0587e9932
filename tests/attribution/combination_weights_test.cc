#include "core/attribution/combination_weights.h"

#include <limits>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::combination_weights_test {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<double> Weights(Weighting weighting, int layers,
                            const std::vector<double>& gamma = {}) {
  const auto weights = CombinationWeights::Create(weighting, layers, gamma);
  EXPECT_TRUE(weights.ok()) << weights.status();
  return weights->values();
}

std::string Refusal(Weighting weighting, int layers,
                    const std::vector<double>& gamma) {
  const absl::Status status =
      CombinationWeights::Create(weighting, layers, gamma).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(CombinationWeightsTest, UniformSharesEqually) {
  EXPECT_THAT(Weights(Weighting::kUniform, 4),
              ElementsAre(0.25, 0.25, 0.25, 0.25));
}

TEST(CombinationWeightsTest, LinearGrowsWithDepth) {
  EXPECT_THAT(Weights(Weighting::kLinear, 4), ElementsAre(0.1, 0.2, 0.3, 0.4));
}

TEST(CombinationWeightsTest, GammasAreScaledToOne) {
  for (const Weighting weighting :
       {Weighting::kExplicit, Weighting::kFeatureSpread,
        Weighting::kClassificationAccuracy}) {
    EXPECT_THAT(Weights(weighting, 3, {1, 0, 3}), ElementsAre(0.25, 0, 0.75));
  }
}

TEST(CombinationWeightsTest, OneLayerHasItAll) {
  EXPECT_THAT(Weights(Weighting::kUniform, 1), ElementsAre(1));
  EXPECT_THAT(Weights(Weighting::kLinear, 1), ElementsAre(1));
  EXPECT_THAT(Weights(Weighting::kExplicit, 1, {1e-9}), ElementsAre(1));
}

TEST(CombinationWeightsTest, TheEndsOfDoubleAddUpToOneToo) {
  for (const double scale : {1e308, 1e-308, 5e-324}) {
    SCOPED_TRACE(scale);
    const std::vector<double> weights =
        Weights(Weighting::kExplicit, 3, {scale, scale, 0});
    EXPECT_THAT(weights, ElementsAre(0.5, 0.5, 0));
  }
}

TEST(CombinationWeightsTest, SumsToOne) {
  const std::vector<double> weights =
      Weights(Weighting::kExplicit, 4, {0.17, 0.195, 0.193, 0.442});
  EXPECT_THAT(std::accumulate(weights.begin(), weights.end(), 0.0),
              DoubleNear(1, 1e-15));
}

TEST(CombinationWeightsTest, RefusesWhatIsNoWeight) {
  for (const double bad : {-1.0, -1e-300, kNaN, kInfinity, -kInfinity}) {
    SCOPED_TRACE(bad);
    EXPECT_THAT(Refusal(Weighting::kExplicit, 2, {1, bad}),
                HasSubstr("of layer 1 is not a number >= 0"));
  }
}

TEST(CombinationWeightsTest, RefusesZerosOnly) {
  EXPECT_EQ(Refusal(Weighting::kExplicit, 2, {0, 0}),
            "the weights of all 2 layers are 0: they add up to 0");
}

TEST(CombinationWeightsTest, RefusesAnotherNumberOfWeights) {
  EXPECT_EQ(Refusal(Weighting::kExplicit, 3, {1, 2}),
            "explicit weighting of 3 layers takes 3 weights, not 2");
  EXPECT_EQ(Refusal(Weighting::kFeatureSpread, 1, {}),
            "feature_spread weighting of 1 layers takes 1 weights, not 0");
  EXPECT_EQ(Refusal(Weighting::kLinear, 2, {1, 2}),
            "linear weighting of 2 layers takes 0 weights, not 2");
}

TEST(CombinationWeightsTest, RefusesNoLayers) {
  EXPECT_EQ(Refusal(Weighting::kUniform, 0, {}),
            "there is no layer to combine");
}

}  // namespace
}  // namespace saliency::combination_weights_test
