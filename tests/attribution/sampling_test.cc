#include "core/attribution/sampling.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/attribution/gauss_legendre.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::sampling_test {
namespace {

using ::testing::HasSubstr;

TEST(GaussLegendreTest, PolynomialsUpToDegreeTwoNLessOneAreExact) {
  for (const int n : {1, 2, 3, 7, 16, 50}) {
    const Quadrature quadrature = GaussLegendre(n);
    ASSERT_EQ(quadrature.nodes.size(), n);
    for (int degree = 0; degree < 2 * n; ++degree) {
      double sum = 0;
      for (int i = 0; i < n; ++i) {
        sum += quadrature.weights[i] * std::pow(quadrature.nodes[i], degree);
      }
      EXPECT_NEAR(sum, 1.0 / (degree + 1), 1e-13) << n << ", x^" << degree;
    }
  }
}

TEST(GaussLegendreTest, NodesOfManyStepsStayInsideAndApart) {
  const Quadrature quadrature = GaussLegendre(1000);
  double before = 0;
  for (const double node : quadrature.nodes) {
    EXPECT_GT(node, before);
    before = node;
  }
  EXPECT_LT(before, 1);
  EXPECT_NEAR(std::accumulate(quadrature.weights.begin(),
                              quadrature.weights.end(), 0.0),
              1, 1e-12);
}

TEST(SamplingTest, FieldsOutOfRangeAreNamedWithValueAndLimit) {
  const auto why = [](const Sampling& sampling) {
    return std::string(CheckSampling(sampling).message());
  };
  EXPECT_EQ(why(SmoothGrad{}), "");
  EXPECT_EQ(why(IntegratedGradients{}), "");
  EXPECT_EQ(why(SmoothGrad{.samples = 1000, .noise_level = 10}), "");
  EXPECT_EQ(why(SmoothGrad{.samples = 0}), "samples: 0 not in [1, 1000]");
  EXPECT_EQ(why(SmoothGrad{.samples = 1001}), "samples: 1001 not in [1, 1000]");
  EXPECT_EQ(
      why(SmoothGrad{.statistic = SampleStatistic::kVariance, .samples = 1}),
      "samples: 1 not in [2, 1000]");
  EXPECT_EQ(why(IntegratedGradients{.steps = -1}),
            "steps: -1 not in [1, 1000]");
  EXPECT_THAT(why(SmoothGrad{.noise_level = -0.5}),
              HasSubstr("noise_level: -0.5 not in [0, 10]"));
  EXPECT_THAT(
      why(SmoothGrad{.noise_level = std::numeric_limits<double>::quiet_NaN()}),
      HasSubstr("noise_level: nan not in [0, 10]"));
}

}  // namespace
}  // namespace saliency::sampling_test
