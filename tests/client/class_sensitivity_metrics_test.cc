#include "client/cli/evaluate/class_sensitivity_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/evaluate/class_sensitivity_report.h"

namespace saliency::class_sensitivity_metrics_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ClassCorrelation Measured(const std::string& image,
                          std::optional<double> correlation,
                          bool meta = false) {
  return {.image = image,
          .method = "norm_grad",
          .place = "layer1",
          .meta = meta,
          .most_likely = 9,
          .least_likely = 1,
          .correlation = correlation};
}

TEST(ClassSensitivityRowTest, RowsComeBackToTheLastBit) {
  for (const std::optional<double> correlation :
       {std::optional<double>(), std::optional<double>(0.1 + 0.2),
        std::optional<double>(-1), std::optional<double>(0)}) {
    ClassCorrelation measured = Measured("a,b", correlation, true);
    measured.combined = true;
    measured.place = "uniform+sum";
    const ClassCorrelation back =
        ParseClassSensitivityRow(ClassSensitivityRow(measured)).value();
    EXPECT_EQ(back.image, "a,b");
    EXPECT_EQ(back.place, "uniform+sum");
    EXPECT_TRUE(back.combined);
    EXPECT_TRUE(back.meta);
    EXPECT_EQ(back.most_likely, 9);
    EXPECT_EQ(back.least_likely, 1);
    EXPECT_EQ(back.correlation, correlation);
  }
}

TEST(ClassSensitivityRowTest, WhatIsNoRowIsRefused) {
  std::vector<std::string> row = ClassSensitivityRow(Measured("a", 0.5));
  row.back() = "half";
  EXPECT_FALSE(ParseClassSensitivityRow(row).ok());
  row.pop_back();
  EXPECT_FALSE(ParseClassSensitivityRow(row).ok());
}

TEST(ClassSensitivityMetricsTest, KeepsStepsApartAndCountsTheUndefined) {
  ClassSensitivityMetrics metrics;
  metrics.Add(Measured("a", 0.5));
  metrics.Add(Measured("b", -0.25));
  metrics.Add(Measured("c", std::nullopt));
  metrics.Add(Measured("a", 0.125, true));
  EXPECT_EQ(metrics.images(), 3);
  const CorrelationSummary plain = *metrics.Of("norm_grad", "layer1", false);
  EXPECT_EQ(plain.mean, 0.125);
  EXPECT_EQ(plain.standard_deviation, 0.375);
  EXPECT_EQ(plain.count, 2);
  EXPECT_EQ(plain.undefined, 1);
  EXPECT_EQ(metrics.Of("norm_grad", "layer1", true)->mean, 0.125);
  EXPECT_FALSE(metrics.Of("norm_grad", "layer2", true).has_value());
  EXPECT_THAT(metrics.methods(), ElementsAre("norm_grad"));
}

TEST(ClassSensitivityMetricsTest, AnImageCountsOnce) {
  ClassSensitivityMetrics metrics;
  metrics.Add(Measured("a", 0.5));
  metrics.Add(Measured("a", 0.25));
  EXPECT_EQ(metrics.Of("norm_grad", "layer1", false)->count, 1);
  EXPECT_EQ(metrics.Of("norm_grad", "layer1", false)->mean, 0.25);
}

TEST(ClassSensitivityReportTest, NothingDefinedIsNotZero) {
  ClassSensitivityMetrics metrics;
  metrics.Add(Measured("a", std::nullopt));
  EXPECT_THAT(ClassSensitivityTables(metrics, "title"),
              HasSubstr("| norm_grad | - (1 undefined) |"));
  EXPECT_THAT(ClassSensitivityTables(metrics, "title"),
              Not(HasSubstr("meta step")));
  EXPECT_THAT(ClassSensitivityCsv(metrics),
              HasSubstr("norm_grad,layer1,0,0,,,0,1\n"));
  EXPECT_THAT(ClassSensitivityJson(metrics, "title"), Not(HasSubstr("mean")));
}

}  // namespace
}  // namespace saliency::class_sensitivity_metrics_test
