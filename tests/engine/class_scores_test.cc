#include "core/engine/finish/class_scores.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::class_scores_test {
namespace {

using testing::ElementsAre;

TEST(ClassScoresTest, SoftmaxSumsToOneAndSurvivesLargeLogits) {
  const std::vector<float> logits = {1000, 999, -1000};
  const ClassScores scores(logits, Probabilities::kSoftmax, {});
  EXPECT_NEAR(*scores.Of(0).probability, 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(*scores.Of(1).probability, 1 / (1 + std::exp(1.0)), 1e-6);
  EXPECT_EQ(scores.Of(2).probability, 0);
}

TEST(ClassScoresTest, SigmoidTakesEachClassAlone) {
  const std::vector<float> logits = {0, 100, -100};
  const ClassScores scores(logits, Probabilities::kSigmoid, {});
  EXPECT_FLOAT_EQ(*scores.Of(0).probability, 0.5F);
  EXPECT_FLOAT_EQ(*scores.Of(1).probability, 1);
  EXPECT_NEAR(*scores.Of(2).probability, 0, 1e-12);
}

TEST(ClassScoresTest, WhatTheModelReturnsIsShownAsItIs) {
  const std::vector<float> given = {0.95F, 0.05F, 1.001F, 31};
  const ClassScores shown(given, Probabilities::kGiven, {});
  EXPECT_EQ(shown.Of(0).probability, 0.95F);
  EXPECT_EQ(shown.Of(1).probability, 0.05F);
  EXPECT_EQ(shown.Of(2).probability, 1.0F) << "rounding";
  EXPECT_EQ(shown.Of(3).probability, std::nullopt) << "is none";
  const std::vector<float> logs = {std::log(0.25F), 0, 2, -INFINITY};
  const ClassScores of_logs(logs, Probabilities::kGivenLogs, {});
  EXPECT_NEAR(*of_logs.Of(0).probability, 0.25, 1e-6);
  EXPECT_EQ(of_logs.Of(1).probability, 1.0F);
  EXPECT_EQ(of_logs.Of(2).probability, std::nullopt);
  EXPECT_EQ(of_logs.Of(3).probability, 0.0F);
  const ClassScores values(given, Probabilities::kNone, {});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(values.Of(i).probability, std::nullopt);
    EXPECT_EQ(values.Of(i).logit, given[i]);
  }
}

TEST(ClassScoresTest, TheTopIsByLogitThenByIndex) {
  const std::vector<float> logits = {1, 3, 2, 3};
  const std::vector<std::string> labels = {"a", "b"};
  const ClassScores scores(logits, Probabilities::kSoftmax, labels);
  std::vector<int64_t> order;
  for (const ClassScore& score : scores.Top(3)) order.push_back(score.index);
  EXPECT_THAT(order, ElementsAre(1, 3, 2));
  EXPECT_EQ(scores.Top(1)[0].label, "b");
  EXPECT_EQ(scores.Top(2)[1].label, "");
  EXPECT_EQ(scores.Top(100).size(), 4);
}

}  // namespace
}  // namespace saliency::class_scores_test
