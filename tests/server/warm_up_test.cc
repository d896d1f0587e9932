#include "server/warm_up.h"

#include <set>
#include <string>
#include <vector>

#include "core/attribution/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::warm_up_test {
namespace {

using ::testing::HasSubstr;

// Notes the rows of each batch; every map fails when told to.
class CountingExplainer : public Explainer {
 public:
  explicit CountingExplainer(absl::Status maps) : maps_(std::move(maps)) {}

  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override {
    rows.push_back(items.at(0)->rows());
    PassAnswers answers;
    PassAnswer& answer = answers.items.emplace_back();
    const size_t maps = items[0]->rows() * items[0]->attributions.size();
    for (size_t i = 0; i < maps; ++i) {
      if (maps_.ok()) {
        answer.maps.emplace_back(at::Tensor());
      } else {
        answer.maps.emplace_back(maps_);
      }
    }
    return answers;
  }

  std::vector<int64_t> rows;

 private:
  const absl::Status maps_;
};

TEST(WarmUpTest, TheSmallestAndTheLargestBatchAreRun) {
  ModelFacts facts = FakeModel();
  facts.config.batching.max_rows = 12;
  CountingExplainer explainer(absl::OkStatus());
  EXPECT_TRUE(WarmUp(facts, explainer).ok());
  EXPECT_THAT(explainer.rows, testing::ElementsAre(1, 12));
}

TEST(WarmUpTest, AModelWhoseRowsDependOnEachOtherIsRunAlone) {
  ModelFacts facts = FakeModel();
  facts.self_check.rows_independent = false;
  CountingExplainer explainer(absl::OkStatus());
  EXPECT_TRUE(WarmUp(facts, explainer).ok());
  EXPECT_THAT(explainer.rows, testing::ElementsAre(1));
}

TEST(WarmUpTest, EachKindOfEvidenceIsAskedFor) {
  std::set<Evidence> asked;
  for (const PassAttribution& attribution : WarmUpAttributions(FakeModel())) {
    asked.insert(attribution.attribution.evidence());
  }
  std::set<Evidence> known;
  for (const Method* method : AllMethods()) known.insert(method->evidence);
  EXPECT_EQ(asked, known);
}

TEST(WarmUpTest, WhatTheModelCannotGiveIsNotAskedFor) {
  ModelFacts facts = FakeModel();
  facts.layers = {facts.layers[0]};
  facts.head_layers.clear();
  facts.config.default_layers = {"input"};
  const std::vector<PassAttribution> asked = WarmUpAttributions(facts);
  ASSERT_EQ(asked.size(), 1);
  EXPECT_EQ(asked[0].layer, "input");
}

TEST(WarmUpTest, AMapThatFailsFailsTheModelAndIsNamed) {
  CountingExplainer explainer(absl::FailedPreconditionError("not finite"));
  const absl::Status status = WarmUp(FakeModel(), explainer);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("at layer \"last\": not finite"));
}

}  // namespace
}  // namespace saliency::warm_up_test
