#include "client/class_sensitivity_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/class_sensitivity_report.h"

namespace saliency::class_sensitivity_tally_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ClassCorrelation Measured(const std::string& picture,
                          std::optional<double> correlation,
                          bool meta = false) {
  return {.picture = picture,
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
    EXPECT_EQ(back.picture, "a,b");
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

TEST(ClassSensitivityTallyTest, KeepsStepsApartAndCountsTheUndefined) {
  ClassSensitivityTally tally;
  tally.Add(Measured("a", 0.5));
  tally.Add(Measured("b", -0.25));
  tally.Add(Measured("c", std::nullopt));
  tally.Add(Measured("a", 0.125, true));
  EXPECT_EQ(tally.pictures(), 3);
  const CorrelationSummary plain = *tally.Of("norm_grad", "layer1", false);
  EXPECT_EQ(plain.mean, 0.125);
  EXPECT_EQ(plain.standard_deviation, 0.375);
  EXPECT_EQ(plain.count, 2);
  EXPECT_EQ(plain.undefined, 1);
  EXPECT_EQ(tally.Of("norm_grad", "layer1", true)->mean, 0.125);
  EXPECT_FALSE(tally.Of("norm_grad", "layer2", true).has_value());
  EXPECT_THAT(tally.methods(), ElementsAre("norm_grad"));
}

TEST(ClassSensitivityTallyTest, APictureCountsOnce) {
  ClassSensitivityTally tally;
  tally.Add(Measured("a", 0.5));
  tally.Add(Measured("a", 0.25));
  EXPECT_EQ(tally.Of("norm_grad", "layer1", false)->count, 1);
  EXPECT_EQ(tally.Of("norm_grad", "layer1", false)->mean, 0.25);
}

TEST(ClassSensitivityReportTest, NothingDefinedIsNotZero) {
  ClassSensitivityTally tally;
  tally.Add(Measured("a", std::nullopt));
  EXPECT_THAT(ClassSensitivityTables(tally, "title"),
              HasSubstr("| norm_grad | - (1 undefined) |"));
  EXPECT_THAT(ClassSensitivityTables(tally, "title"),
              Not(HasSubstr("meta step")));
  EXPECT_THAT(ClassSensitivityCsv(tally),
              HasSubstr("norm_grad,layer1,0,0,,,0,1\n"));
  EXPECT_THAT(ClassSensitivityJson(tally, "title"), Not(HasSubstr("mean")));
}

}  // namespace
}  // namespace saliency::class_sensitivity_tally_test
