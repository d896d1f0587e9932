#include "client/cli/evaluate/evaluation_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/status.h"
#include "tests/client/evaluated_model.h"

namespace saliency::evaluation_plan_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(JoinKindTest, NamesComeBack) {
  for (const char* text :
       {"uniform+sum", "linear+product", "feature_spread+sum",
        "classification_accuracy+product"}) {
    EXPECT_EQ(ParseJoinKind(text).value().name(), text);
  }
  for (const char* text : {"uniform", "explicit+sum", "uniform+min", "a+b+c"}) {
    EXPECT_EQ(ParseJoinKind(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(CompletePlanTest, DefaultsFollowTheModel) {
  const EvaluationPlan plan = CompletePlan({}, EvaluatedModel()).value();
  EXPECT_THAT(plan.methods, ElementsAre("gradient", "norm_grad"));
  EXPECT_THAT(plan.layers, ElementsAre("layer1", "layer2"));
  EXPECT_TRUE(plan.joins.empty()) << "the measure's to say";
  const std::vector<JoinKind> joins = AllJoins(plan, EvaluatedModel());
  ASSERT_EQ(joins.size(), 4U);  // nothing is calibrated
  EXPECT_EQ(joins[0].name(), "uniform+sum");
  EXPECT_EQ(joins[3].name(), "linear+product");
}

TEST(CompletePlanTest, ACalibratedModelHasAllEightJoins) {
  const EvaluationPlan plan = CompletePlan({}, CalibratedModel()).value();
  EXPECT_EQ(AllJoins(plan, CalibratedModel()).size(), 8U);
  EXPECT_THAT(
      LayerGammas(plan.layers, v1::WEIGHTING_FEATURE_SPREAD, CalibratedModel()),
      ElementsAre(1, 3));
}

TEST(CompletePlanTest, WeightsThatAreAllZeroJoinNothing) {
  v1::GetModelResponse model = CalibratedModel();
  for (auto& layer : *model.mutable_layer_weights()->mutable_layers()) {
    layer.set_feature_spread(0);
  }
  const EvaluationPlan plan = CompletePlan({}, model).value();
  EXPECT_EQ(AllJoins(plan, model).size(), 6U) << "all but feature_spread";
}

TEST(CompletePlanTest, AMethodThatDoesNotApplyIsNamed) {
  const auto plan = CompletePlan({.methods = {"grad_camm"}}, EvaluatedModel());
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("grad_camm"));
}

TEST(CompletePlanTest, AliasesBecomeTheNamesThatAnswersCarry) {
  v1::GetModelResponse model = EvaluatedModel();
  for (v1::Method& method : *model.mutable_methods()) {
    if (method.name() == "gradient") method.add_aliases("saliency");
  }
  const EvaluationPlan plan =
      CompletePlan({.methods = {"Norm-Grad", "Saliency"}}, model).value();
  EXPECT_THAT(plan.methods, ElementsAre("norm_grad", "gradient"));
}

TEST(CompletePlanTest, PairsAreReadAsPairs) {
  const EvaluationPlan plan =
      CompletePlan({.methods = {"conv1x1+norm"}}, EvaluatedModel()).value();
  const v1::Attribution attribution = AttributionFor(plan, "conv1x1+norm");
  EXPECT_EQ(attribution.pair().extract(), v1::EXTRACT_CONV1X1);
  EXPECT_EQ(attribution.pair().aggregate(), v1::AGGREGATE_NORM);
  EXPECT_THAT(attribution.layers(), ElementsAre("layer1", "layer2"));
  EXPECT_EQ(CompletePlan({.methods = {"conv1x1+nrm"}}, EvaluatedModel())
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(MethodsAtOnceTest, KeepsTheServersLimits) {
  EvaluationPlan plan = CompletePlan({}, EvaluatedModel()).value();
  EXPECT_EQ(MethodsAtOnce(plan, {}), 64U);
  EXPECT_EQ(MethodsAtOnce(plan, {.times = 5}), 12U)
      << "64 combinations of 5 for each";
  plan.layers.resize(100, "layer");
  EXPECT_EQ(MethodsAtOnce(plan, {}), 5U) << "512 layers of 100 for each";
  plan.layers.resize(1000, "layer");
  EXPECT_EQ(MethodsAtOnce(plan, {}), 1U) << "the server refuses it";
}

TEST(MethodsAtOnceTest, CountsThePixelsOfAllMaps) {
  EvaluationPlan plan = CompletePlan({}, EvaluatedModel()).value();
  EXPECT_EQ(MethodsAtOnce(plan, {.maps = 4, .image_pixels = int64_t{4} << 20}),
            8U)
      << "128 Mi of 16 Mi for each";
  EXPECT_EQ(MethodsAtOnce(plan, {.maps = 4, .image_pixels = int64_t{64} << 20}),
            1U)
      << "the server refuses it";
  v1::GetModelResponse model = EvaluatedModel();
  model.mutable_config()->mutable_input()->set_height(1024);
  model.mutable_config()->mutable_input()->set_width(2048);
  plan = CompletePlan({}, model).value();
  EXPECT_EQ(MethodsAtOnce(plan, {.maps = 4, .image_pixels = 1}), 16U)
      << "a layer may be as large as the input";
}

}  // namespace
}  // namespace saliency::evaluation_plan_test
