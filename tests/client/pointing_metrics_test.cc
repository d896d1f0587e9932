#include "client/cli/evaluate/pointing_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "client/cli/evaluate/pointing_report.h"
#include "nlohmann/json.hpp"

namespace saliency::pointing_metrics_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PointingTrial Trial(const std::string& image, const std::string& category,
                    const std::string& method, const std::string& place,
                    bool hit, bool difficult = false, bool combined = false) {
  return {.image = image,
          .category = category,
          .difficult = difficult,
          .method = method,
          .place = place,
          .combined = combined,
          .hit = hit};
}

// norm_grad: cat 2 of 4 at "a", 3 of 4 combined; dog 1 of 1 at both.
PointingMetrics SmallTally() {
  PointingMetrics metrics;
  const bool at_a[] = {true, true, false, false};
  const bool joined[] = {true, true, true, false};
  for (int i = 0; i < 4; ++i) {
    const std::string image(1, static_cast<char>('1' + i));
    metrics.Add(Trial(image, "cat", "centre", "", i == 0, i > 1));
    metrics.Add(Trial(image, "cat", "norm_grad", "a", at_a[i], i > 1));
    metrics.Add(Trial(image, "cat", "norm_grad", "uniform+sum", joined[i],
                      i > 1, true));
  }
  metrics.Add(Trial("1", "dog", "centre", "", false));
  metrics.Add(Trial("1", "dog", "norm_grad", "a", true));
  metrics.Add(Trial("1", "dog", "norm_grad", "uniform+sum", true, false, true));
  return metrics;
}

TEST(PointingMetricsTest, AccuracyIsTheMeanOverCategories) {
  const auto accuracy =
      SmallTally().Accuracy("norm_grad", "a", PointingSubset::kAll);
  ASSERT_TRUE(accuracy.has_value());
  EXPECT_DOUBLE_EQ(accuracy->accuracy.mean, (0.5 + 1.0) / 2);
  EXPECT_EQ(accuracy->trials, 5);
  EXPECT_EQ(accuracy->hits, 3);
  EXPECT_EQ(accuracy->counts.at("cat").hits, 2);
  EXPECT_EQ(accuracy->counts.at("cat").trials, 4);
  EXPECT_DOUBLE_EQ(accuracy->by_category.at("cat"), 0.5);
  // Four draws of variance 1/3 (n - 1), over two categories.
  EXPECT_NEAR(accuracy->accuracy.standard_error, std::sqrt(1.0 / 3 / 4) / 2,
              1e-12);
}

TEST(PointingMetricsTest, DifficultGamesAreASubset) {
  const auto accuracy =
      SmallTally().Accuracy("norm_grad", "a", PointingSubset::kDifficult);
  ASSERT_TRUE(accuracy.has_value());
  EXPECT_EQ(accuracy->trials, 2);
  EXPECT_DOUBLE_EQ(accuracy->accuracy.mean, 0);
}

TEST(PointingMetricsTest, GainComparesTheSameGames) {
  PointingMetrics metrics = SmallTally();
  // Played at "a" alone: does not enter the gain.
  metrics.Add(Trial("9", "cat", "norm_grad", "a", true));
  const auto gain =
      metrics.Gain("norm_grad", "uniform+sum", "a", PointingSubset::kAll);
  ASSERT_TRUE(gain.has_value());
  EXPECT_DOUBLE_EQ(gain->mean, (0.25 + 0) / 2);
  // Differences 0, 0, 1, 0: variance 0.25, of the mean 0.25 / 4.
  EXPECT_NEAR(gain->standard_error, std::sqrt(0.25 / 4) / 2, 1e-12);
}

TEST(PointingMetricsTest, NamesKeepTheOrderInWhichTheyCame) {
  const PointingMetrics metrics = SmallTally();
  EXPECT_THAT(metrics.methods(), ElementsAre("norm_grad"));
  EXPECT_THAT(metrics.layers(), ElementsAre("a"));
  EXPECT_THAT(metrics.combinations(), ElementsAre("uniform+sum"));
  EXPECT_THAT(metrics.categories(), ElementsAre("cat", "dog"));
  EXPECT_EQ(metrics.images(), 4);
  EXPECT_EQ(
      metrics.Best("norm_grad", {"a", "uniform+sum"}, PointingSubset::kAll),
      "uniform+sum");
  EXPECT_FALSE(
      metrics.Accuracy("norm_grad", "b", PointingSubset::kAll).has_value());
}

TEST(PointingMetricsTest, RowsComeBack) {
  const PointingTrial trial = {.image = "000001",
                               .category = "dining, table",
                               .difficult = true,
                               .method = "grad_cam",
                               .place = "layer4",
                               .combined = false,
                               .y = 12,
                               .x = 340,
                               .hit = true};
  const PointingTrial back = ParsePointingRow(PointingRow(trial)).value();
  EXPECT_EQ(PointingRow(back), PointingRow(trial));
  EXPECT_FALSE(ParsePointingRow({"too", "short"}).ok());
}

TEST(PointingReportTest, TablesAndNumbersAgree) {
  const PointingMetrics metrics = SmallTally();
  const PointingReportOptions options = {
      .title = "t", .weights = {{.weighting = "uniform", .weights = {1.0}}}};
  const std::string tables = PointingTables(metrics, options);
  EXPECT_THAT(tables, HasSubstr("| norm_grad | 75.0 +- 14.4 |"));
  EXPECT_THAT(tables, HasSubstr("12.5 +- 12.5"));
  const auto json = nlohmann::json::parse(PointingJson(metrics, options));
  EXPECT_EQ(json["images"], 4);
  EXPECT_EQ(json["results"].size(), 3U);
  EXPECT_DOUBLE_EQ(json["gains"][0]["gain"].get<double>(), 0.125);
  const nlohmann::json at_a = json["results"][1]["all"];
  EXPECT_EQ(at_a["hits"], 3);
  EXPECT_EQ(at_a["trials"], 5);
  EXPECT_EQ(at_a["counts"]["cat"],
            nlohmann::json({{"hits", 2}, {"trials", 4}}));
  EXPECT_EQ(at_a["counts"]["dog"],
            nlohmann::json({{"hits", 1}, {"trials", 1}}));
  const std::string csv = PointingCsv(metrics);
  EXPECT_THAT(csv, HasSubstr("norm_grad,a,0,all,0.750000,"));
  EXPECT_THAT(csv, HasSubstr("centre,,0,difficult,0.000000,"));
}

}  // namespace
}  // namespace saliency::pointing_metrics_test
