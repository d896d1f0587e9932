#include "core/base/correlation_summary.h"

#include <optional>
#include <vector>

#include "gtest/gtest.h"

namespace saliency::correlation_summary_test {
namespace {

TEST(CorrelationSummaryTest, IsOfThoseThatAreDefined) {
  const std::vector<std::optional<double>> correlations = {0.5, std::nullopt,
                                                           -0.25, 0.5};
  const CorrelationSummary summary = SummariseCorrelations(correlations);
  EXPECT_DOUBLE_EQ(summary.mean, 0.25);
  // Distances from the mean: 0.25, -0.5, 0.25; their squares' mean is 0.125.
  EXPECT_DOUBLE_EQ(summary.standard_deviation, 0.35355339059327379);
  EXPECT_EQ(summary.count, 3);
  EXPECT_EQ(summary.undefined, 1);
}

TEST(CorrelationSummaryTest, NothingDefinedIsZerosAndSaysSo) {
  const std::vector<std::optional<double>> correlations(3);
  const CorrelationSummary summary = SummariseCorrelations(correlations);
  EXPECT_EQ(summary.mean, 0);
  EXPECT_EQ(summary.standard_deviation, 0);
  EXPECT_EQ(summary.count, 0);
  EXPECT_EQ(summary.undefined, 3);
}

TEST(CorrelationSummaryTest, EqualValuesHaveNoSpread) {
  const std::vector<std::optional<double>> correlations(1000, 0.1);
  EXPECT_NEAR(SummariseCorrelations(correlations).standard_deviation, 0, 1e-12);
}

}  // namespace
}  // namespace saliency::correlation_summary_test
