#include "client/cli/evaluate/class_sensitivity_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace saliency::class_sensitivity_requests_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

EvaluationPlan Plan() {
  return {.methods = {"norm_grad", "conv3x3+norm"},
          .layers = {"layer1", "layer2"},
          .joins = {{v1::WEIGHTING_LINEAR, v1::COMBINE_RULE_PRODUCT}}};
}

TEST(ClassSensitivityRequestsTest, OneRequestServesAllMethods) {
  const auto requests = ClassSensitivityRequests(Plan(), std::nullopt);
  ASSERT_EQ(requests.size(), 1U);
  ASSERT_EQ(requests[0].attributions_size(), 2);
  EXPECT_THAT(requests[0].attributions(0).layers(),
              ElementsAre("layer1", "layer2"));
  EXPECT_TRUE(requests[0].attributions(1).has_pair());
  ASSERT_EQ(requests[0].combinations_size(), 2);
  EXPECT_TRUE(requests[0].combinations(1).attribution().has_pair());
  EXPECT_EQ(requests[0].combinations(0).rule(), v1::COMBINE_RULE_PRODUCT);
  EXPECT_FALSE(requests[0].has_step());
}

TEST(ClassSensitivityRequestsTest, AStepAsksForTheSameAgain) {
  v1::MetaStep step;
  step.set_epsilon(0.25);
  const auto requests = ClassSensitivityRequests(Plan(), step);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_FALSE(requests[0].has_step());
  EXPECT_EQ(requests[1].step().epsilon(), 0.25);
  EXPECT_EQ(requests[1].attributions_size(), 2);
}

TEST(ClassSensitivityRequestsTest, LimitsOfTheServerAreKept) {
  EvaluationPlan plan = Plan();
  plan.methods.assign(40, "norm_grad");
  plan.layers.assign(60, "layer");
  int attributions = 0;
  for (const auto& request : ClassSensitivityRequests(plan, std::nullopt)) {
    int layers = 0;
    for (const auto& attribution : request.attributions()) {
      layers += attribution.layers_size();
    }
    for (const auto& combination : request.combinations()) {
      layers += combination.attribution().layers_size();
    }
    EXPECT_LE(layers, 512);
    EXPECT_LE(request.combinations_size(), 64);
    attributions += request.attributions_size();
  }
  EXPECT_EQ(attributions, 40);
}

TEST(ClassSensitivityRequestsTest, PixelsOfAllMapsAreCounted) {
  EvaluationPlan plan = Plan();
  plan.methods.assign(4, "norm_grad");
  plan.input_pixels = 4'000'000;
  // Two classes of two layers, twice, and a combination: 40 M for each method.
  const auto requests = ClassSensitivityRequests(plan, std::nullopt);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].attributions_size(), 3);
}

// To the plan's request: two methods at two layers, two combinations.
v1::MeasureClassSensitivityResponse Answer() {
  v1::MeasureClassSensitivityResponse answer;
  for (const int attribution : {0, 1}) {
    for (const char* layer : {"layer1", "layer2"}) {
      v1::ClassSensitivity& measured = *answer.add_measurements();
      measured.set_attribution(attribution);
      measured.set_method(attribution == 0 ? "norm_grad" : "conv3x3+norm");
      measured.set_layer(layer);
      measured.mutable_most_likely()->set_class_index(9);
      measured.set_correlation(-0.5);
    }
  }
  for (const int combination : {0, 1}) {
    v1::ClassSensitivity& measured = *answer.add_measurements();
    measured.set_attribution(combination);
    measured.set_method("norm_grad");
  }
  return answer;
}

TEST(ClassCorrelationsTest, LayersAndCombinationsAreTold) {
  v1::MetaStep step;
  const auto request = ClassSensitivityRequests(Plan(), step)[1];
  const auto measured = ClassCorrelations("7", request, Answer()).value();
  ASSERT_EQ(measured.size(), 6U);
  EXPECT_EQ(measured[3].method, "conv3x3+norm");
  EXPECT_EQ(measured[3].place, "layer2");
  EXPECT_EQ(measured[3].correlation, -0.5);
  EXPECT_EQ(measured[3].most_likely, 9);
  EXPECT_FALSE(measured[3].combined);
  EXPECT_TRUE(measured[3].meta);
  EXPECT_EQ(measured[4].place, "linear+product");
  EXPECT_TRUE(measured[4].combined);
  EXPECT_FALSE(measured[4].correlation.has_value()) << "undefined, not 0";
}

TEST(ClassCorrelationsTest, AFailedMeasurementFailsTheImage) {
  const auto request = ClassSensitivityRequests(Plan(), std::nullopt)[0];
  v1::MeasureClassSensitivityResponse answer = Answer();
  answer.mutable_measurements(1)->mutable_status()->set_code(9);
  answer.mutable_measurements(1)->mutable_status()->set_message("not finite");
  const auto failed = ClassCorrelations("7", request, answer);
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.status().message()),
              HasSubstr("norm_grad @ layer2: not finite"));
  answer = Answer();
  answer.mutable_measurements(5)->set_attribution(2);
  EXPECT_EQ(ClassCorrelations("7", request, answer).status().code(),
            absl::StatusCode::kInternal);
  answer.mutable_measurements()->RemoveLast();
  EXPECT_EQ(ClassCorrelations("7", request, answer).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace saliency::class_sensitivity_requests_test
