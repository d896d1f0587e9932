#include "core/base/rank_correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace saliency::rank_correlation_test {
namespace {

// By the definition: rank = 1 + smaller ones + half of the other equal ones.
double Naive(const std::vector<float>& a, const std::vector<float>& b) {
  const auto ranks = [](const std::vector<float>& values) {
    std::vector<double> found;
    for (const float value : values) {
      double rank = 1;
      for (const float other : values) {
        rank += other < value ? 1 : other == value ? 0.5 : 0;
      }
      found.push_back(rank - 0.5);
    }
    return found;
  };
  const std::vector<double> x = ranks(a);
  const std::vector<double> y = ranks(b);
  const double mean = (static_cast<double>(a.size()) + 1) / 2;
  double xy = 0;
  double xx = 0;
  double yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xy / std::sqrt(xx * yy);
}

TEST(RankCorrelationTest, EqualsTheDefinitionWithAndWithoutTies) {
  for (int seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> a;
    std::vector<float> b;
    for (int i = 0; i < 60; ++i) {
      a.push_back(normal(random));
      b.push_back(normal(random) + a.back());
      if (seed % 2 == 0) a.back() = std::max(0.0F, std::round(a.back()));
    }
    EXPECT_NEAR(RankCorrelation(a, b).value(), Naive(a, b), 1e-12);
  }
}

TEST(RankCorrelationTest, ByHand) {
  // Ranks 1.5 1.5 3 4 and 1 2 3.5 3.5.
  EXPECT_NEAR(RankCorrelation({0, 0, 1, 2}, {-1, 5, 7, 7}).value(), 8.0 / 9,
              1e-12);
  EXPECT_EQ(RankCorrelation({1, 2, 3}, {10, 20, 1e30F}), 1.0);
  EXPECT_EQ(RankCorrelation({1, 2, 3}, {0, -1, -2}), -1.0);
}

TEST(RankCorrelationTest, IsUndefinedWhereASideSaysNothing) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> fine = {1, 2, 3};
  for (const std::vector<float>& bad : {std::vector<float>{0, 0, 0},
                                        {3, 3, 3.000001F},
                                        {1, kNan, 2},
                                        {1, 2, kInf}}) {
    EXPECT_EQ(RankCorrelation(fine, bad), std::nullopt);
    EXPECT_EQ(RankCorrelation(bad, fine), std::nullopt);
  }
  EXPECT_EQ(RankCorrelation({}, {}), std::nullopt);
  EXPECT_EQ(RankCorrelation({1}, {2}), std::nullopt);
}

TEST(RankCorrelationTest, TinyAndHugeValuesAreOrdinary) {
  EXPECT_EQ(RankCorrelation({1e-30F, 2e-30F, 3e-30F}, {-3e38F, 0, 3e38F}), 1.0);
  EXPECT_FALSE(IsConstant({-3e38F, 3e38F})) << "their difference overflows";
  EXPECT_TRUE(IsConstant({0, 0}));
  EXPECT_FALSE(IsConstant({0, 1e-38F}));
}

}  // namespace
}  // namespace saliency::rank_correlation_test
