// The choice between repeating rows and going backward once a target.

#include "core/model/expand_rows_cost.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace saliency::expand_rows_cost_test {
namespace {

constexpr ExpandRows kRepeat = ExpandRows::kRepeatRows;
constexpr ExpandRows kRetain = ExpandRows::kRetainGraph;

// Tells the cost of both ways, in milliseconds a row.
void Measure(ExpandRowsCost& cost, const std::string& probes, double targets,
             double repeat_ms, double retain_ms) {
  cost.Record(probes, targets, kRepeat, 10, absl::Milliseconds(10 * repeat_ms));
  cost.Record(probes, targets, kRetain, 10, absl::Milliseconds(10 * retain_ms));
}

TEST(ExpandRowsCostTest, TriesBothWaysBeforeItPrefersOne) {
  ExpandRowsCost cost;
  EXPECT_EQ(cost.Choose("a", 4), kRepeat);
  EXPECT_EQ(cost.Choose("a", 4), kRepeat);  // until it has been measured
  cost.Record("a", 4, kRepeat, 4, absl::Seconds(1));
  EXPECT_EQ(cost.Choose("a", 4), kRetain);
  cost.Record("a", 4, kRetain, 4, absl::Seconds(2));
  EXPECT_EQ(cost.Choose("a", 4), kRepeat);
}

TEST(ExpandRowsCostTest, PrefersTheCheaperWayPerRow) {
  ExpandRowsCost cost;
  Measure(cost, "deep", 4, 1, 3);
  Measure(cost, "shallow", 4, 3, 1);
  EXPECT_EQ(cost.Choose("deep", 4), kRepeat);
  EXPECT_EQ(cost.Choose("shallow", 4), kRetain);
  ExpandRowsCost sizes;  // 8 s for 16 rows is less than 2 s for 2
  sizes.Record("a", 4, kRepeat, 2, absl::Seconds(2));
  sizes.Record("a", 4, kRetain, 16, absl::Seconds(8));
  EXPECT_EQ(sizes.Choose("a", 4), kRetain);
}

TEST(ExpandRowsCostTest, TriesTheOtherWayAgainEvery256thTime) {
  ExpandRowsCost cost;
  Measure(cost, "a", 4, 1, 3);
  for (int use = 1; use <= 1024; ++use) {
    EXPECT_EQ(cost.Choose("a", 4), use % 256 == 0 ? kRetain : kRepeat) << use;
  }
}

TEST(ExpandRowsCostTest, ChangesItsMindWhenCostsChange) {
  ExpandRowsCost cost;
  Measure(cost, "a", 4, 2, 3);
  EXPECT_EQ(cost.Choose("a", 4), kRepeat);
  for (int i = 0; i < 10; ++i) {
    cost.Record("a", 4, kRetain, 10, absl::Milliseconds(10));
  }
  EXPECT_EQ(cost.Choose("a", 4), kRetain);
}

TEST(ExpandRowsCostTest, SlowFirstRunDoesNotCount) {
  ExpandRowsCost cost;
  Measure(cost, "a", 4, 500, 20);
  EXPECT_EQ(cost.Choose("a", 4), kRetain);
  cost.Record("a", 4, kRepeat, 10, absl::Milliseconds(100));
  EXPECT_EQ(cost.Choose("a", 4), kRepeat);
}

TEST(ExpandRowsCostTest, OneSlowRunDoesNotChangeThePreference) {
  ExpandRowsCost cost;
  Measure(cost, "a", 4, 1, 2);
  cost.Record("a", 4, kRepeat, 10, absl::Milliseconds(40));
  EXPECT_EQ(cost.Choose("a", 4), kRepeat);
}

TEST(ExpandRowsCostTest, ProbeSetsAndNumbersOfTargetsAreMeasuredApart) {
  ExpandRowsCost cost;
  Measure(cost, "a", 4, 3, 1);
  EXPECT_EQ(cost.Choose("b", 4), kRepeat);
  EXPECT_EQ(cost.Choose("a", 20), kRepeat);
  EXPECT_EQ(cost.Choose("a", 4), kRetain);
  EXPECT_EQ(cost.Choose("a", 3), kRetain);  // within a factor of two
  EXPECT_EQ(cost.Choose("a", 2), kRepeat);
}

TEST(ExpandRowsCostTest, ForgetsRatherThanGrowsWithoutBound) {
  ExpandRowsCost cost;
  Measure(cost, "first", 4, 3, 1);
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(cost.Choose(absl::StrCat("set", i), 4), kRepeat);
  }
  EXPECT_EQ(cost.Choose("first", 4), kRepeat);
  Measure(cost, "first", 4, 3, 1);
  EXPECT_EQ(cost.Choose("first", 4), kRetain);
}

}  // namespace
}  // namespace saliency::expand_rows_cost_test
