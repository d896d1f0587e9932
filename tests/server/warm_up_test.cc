#include "server/loading/warm_up.h"

#include <ATen/ATen.h>

#include <cmath>
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
    layers.emplace_back();
    for (const PassAttribution& asked : items[0]->variants[0].attributions) {
      layers.back().push_back(asked.layer);
    }
    PassAnswers answers;
    PassAnswer& answer = answers.items.emplace_back();
    VariantAnswer& made = answer.variants.emplace_back();
    const size_t maps =
        items[0]->rows() * items[0]->variants[0].attributions.size();
    for (size_t i = 0; i < maps; ++i) {
      if (maps_.ok()) {
        made.maps.emplace_back(at::Tensor());
      } else {
        made.maps.emplace_back(maps_);
      }
    }
    return answers;
  }

  std::vector<int64_t> rows;
  std::vector<std::vector<std::string>> layers;  // of each batch

 private:
  const absl::Status maps_;
};

TEST(WarmUpTest, TheSmallestAndTheLargestBatchAreRun) {
  ModelMetadata metadata = FakeModel();
  metadata.config.batching.max_rows = 12;
  CountingExplainer explainer(absl::OkStatus());
  EXPECT_TRUE(WarmUp(metadata, explainer).ok());
  EXPECT_THAT(explainer.rows, testing::ElementsAre(1, 1, 12));
}

// Plans are kept by the layers that they look at, so that these alone are asked
// for too.
TEST(WarmUpTest, TheDefaultQuestionsAreAmongThem) {
  ModelMetadata metadata = FakeModel();
  metadata.config.default_layers = {"last"};
  metadata.config.combine_layers = {"conv", "last"};
  CountingExplainer explainer(absl::OkStatus());
  EXPECT_TRUE(WarmUp(metadata, explainer).ok());
  using Layers = std::vector<std::string>;
  EXPECT_THAT(explainer.layers,
              testing::IsSupersetOf({Layers{"last"}, Layers{"conv", "last"}}));
}

TEST(WarmUpTest, AModelWhoseRowsDependOnEachOtherIsRunAlone) {
  ModelMetadata metadata = FakeModel();
  metadata.self_check.rows_independent = false;
  CountingExplainer explainer(absl::OkStatus());
  EXPECT_TRUE(WarmUp(metadata, explainer).ok());
  EXPECT_THAT(explainer.rows, testing::ElementsAre(1, 1));
}

TEST(WarmUpTest, EachKindOfEvidenceIsAskedFor) {
  std::set<MethodInputs> asked;
  for (const PassAttribution& attribution : WarmUpAttributions(FakeModel())) {
    asked.insert(attribution.attribution.method_inputs());
  }
  std::set<MethodInputs> known;
  for (const Method* method : AllMethods()) {
    if (method->rule.is_gradient()) known.insert(method->method_inputs);
  }
  EXPECT_EQ(asked, known);
}

TEST(WarmUpTest, WhatTheModelCannotGiveIsNotAskedFor) {
  ModelMetadata metadata = FakeModel();
  metadata.layers = {metadata.layers[0]};
  metadata.head_layers.clear();
  metadata.config.default_layers = {"input"};
  const std::vector<PassAttribution> asked = WarmUpAttributions(metadata);
  // Of a method that needs the gradient, and of one that does not.
  ASSERT_EQ(asked.size(), 2);
  for (const PassAttribution& one : asked) EXPECT_EQ(one.layer, "input");
}

TEST(WarmUpTest, AMapThatFailsFailsTheModelAndIsNamed) {
  CountingExplainer explainer(absl::InvalidArgumentError("too odd"));
  const absl::Status status = WarmUp(FakeModel(), explainer);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("at layer \"last\": too odd"));
}

TEST(WarmUpTest, ALayerThatThePassDoesNotComeByIsPassedOver) {
  CountingExplainer explainer(absl::FailedPreconditionError("not come by"));
  EXPECT_TRUE(WarmUp(FakeModel(), explainer).ok());
}

// Answers with the same map, logits and warning for all; `at_input` is the
// warning at the input.
class SameExplainer : public Explainer {
 public:
  SameExplainer(float map, float logit, std::string warning,
                std::string at_input)
      : map_(map),
        logit_(logit),
        warning_(std::move(warning)),
        at_input_(std::move(at_input)) {}

  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override {
    const PassItem& item = *items.at(0);
    PassAnswers answers;
    PassAnswer& answer = answers.items.emplace_back();
    answer.logits = at::full({item.input.size(0), 10}, logit_);
    VariantAnswer& made = answer.variants.emplace_back();
    for (int64_t row = 0; row < item.rows(); ++row) {
      for (const PassAttribution& asked : item.variants[0].attributions) {
        const bool has_gradient = asked.attribution.method_inputs() !=
                                  MethodInputs::kActivationAndHead;
        made.maps.emplace_back(at::full({2, 2}, map_));
        made.warnings.push_back(!has_gradient            ? ""
                                : asked.layer == "input" ? at_input_
                                                         : warning_);
      }
    }
    return answers;
  }

 private:
  const float map_;
  const float logit_;
  const std::string warning_;
  const std::string at_input_;
};

TEST(WarmUpTest, OutputAndMapsMustBeFinite) {
  SameExplainer bad_map(INFINITY, 1, "", "");
  absl::Status status = WarmUp(FakeModel(), bad_map);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not finite"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"last\""));
  SameExplainer bad_output(1, NAN, "", "");
  status = WarmUp(FakeModel(), bad_output);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the model's output for a random image"));
  SameExplainer good(1, 1, "", "");
  EXPECT_TRUE(WarmUp(FakeModel(), good).ok());
}

TEST(WarmUpTest, AGradientMustReachTheImage) {
  SameExplainer none(1, 1, "no gradient reaches layer \"last\": argmax",
                     "no gradient reaches layer \"input\": argmax");
  const absl::Status status = WarmUp(FakeModel(), none);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no gradient reaches layer \"input\": argmax"));
  // A default layer beside the way to the output is no reason to fail.
  SameExplainer beside(1, 1, "no gradient reaches layer \"last\"", "");
  EXPECT_TRUE(WarmUp(FakeModel(), beside).ok());
}

}  // namespace
}  // namespace saliency::warm_up_test
