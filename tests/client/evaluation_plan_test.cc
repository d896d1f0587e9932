#include "client/evaluation_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/status.h"

namespace saliency {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::GetModelResponse Model() {
  v1::GetModelResponse model;
  for (const char* layer : {"layer1", "layer2"}) {
    model.mutable_config()->add_combine_layers(layer);
  }
  for (const char* method : {"cam", "gradient", "norm_grad"}) {
    model.add_methods()->set_name(method);
  }
  return model;
}

v1::GetModelResponse Calibrated() {
  v1::GetModelResponse model = Model();
  for (const char* layer : {"layer2", "layer1"}) {
    v1::LayerCalibration* found = model.mutable_layer_weights()->add_layers();
    found->set_layer(layer);
    found->set_feature_spread(std::string(layer) == "layer1" ? 1 : 3);
    found->set_classification_accuracy(0.5);
  }
  return model;
}

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
  const EvaluationPlan plan = CompletePlan({}, Model()).value();
  EXPECT_THAT(plan.methods, ElementsAre("gradient", "norm_grad"));
  EXPECT_THAT(plan.layers, ElementsAre("layer1", "layer2"));
  EXPECT_TRUE(plan.joins.empty()) << "the measure's to say";
  const std::vector<JoinKind> joins = AllJoins(plan, Model());
  ASSERT_EQ(joins.size(), 4U);  // nothing is calibrated
  EXPECT_EQ(joins[0].name(), "uniform+sum");
  EXPECT_EQ(joins[3].name(), "linear+product");
}

TEST(CompletePlanTest, ACalibratedModelHasAllEightJoins) {
  const EvaluationPlan plan = CompletePlan({}, Calibrated()).value();
  EXPECT_EQ(AllJoins(plan, Calibrated()).size(), 8U);
  EXPECT_THAT(
      LayerGammas(plan.layers, v1::WEIGHTING_FEATURE_SPREAD, Calibrated()),
      ElementsAre(1, 3));
}

TEST(CompletePlanTest, AMethodThatDoesNotApplyIsNamed) {
  const auto plan = CompletePlan({.methods = {"grad_camm"}}, Model());
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("grad_camm"));
}

TEST(CompletePlanTest, PairsAreReadAsPairs) {
  const EvaluationPlan plan =
      CompletePlan({.methods = {"conv1x1+norm"}}, Model()).value();
  const v1::Attribution attribution = AttributionFor(plan, "conv1x1+norm");
  EXPECT_EQ(attribution.pair().extract(), v1::EXTRACT_CONV1X1);
  EXPECT_EQ(attribution.pair().aggregate(), v1::AGGREGATE_NORM);
  EXPECT_THAT(attribution.layers(), ElementsAre("layer1", "layer2"));
  EXPECT_EQ(CompletePlan({.methods = {"conv1x1+nrm"}}, Model()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(MethodsAtOnceTest, KeepsTheServersLimits) {
  EvaluationPlan plan = CompletePlan({}, Model()).value();
  EXPECT_EQ(MethodsAtOnce(plan, 1), 64U);
  EXPECT_EQ(MethodsAtOnce(plan, 5), 12U) << "64 combinations of 5 for each";
  plan.layers.resize(100, "layer");
  EXPECT_EQ(MethodsAtOnce(plan, 1), 5U) << "512 layers of 100 for each";
  plan.layers.resize(1000, "layer");
  EXPECT_EQ(MethodsAtOnce(plan, 1), 1U) << "the server refuses it";
}

}  // namespace
}  // namespace saliency
