#include "client/cli/evaluate/pointing_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/status.h"
#include "tests/client/evaluated_model.h"

namespace saliency::pointing_requests_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::map<std::string, CategoryBoxes> CatAndDog() {
  return {{"cat",
           {.boxes = {{.y = 10, .x = 10, .height = 5, .width = 5}},
            .all_difficult = false,
            .is_difficult = true}},
          {"dog",
           {.boxes = {{.y = 200, .x = 200, .height = 5, .width = 5}},
            .all_difficult = false}}};
}

// With every join that the model has weights for.
EvaluationPlan Plan(const v1::GetModelResponse& model) {
  EvaluationPlan plan = CompletePlan({}, model).value();
  plan.joins = AllJoins(plan, model);
  return plan;
}

TEST(WeightCurvesTest, EachWeightingHasOneThatSumsToOne) {
  const v1::GetModelResponse model = CalibratedModel();
  const std::vector<WeightCurve> curves = WeightCurves(Plan(model), model);
  ASSERT_EQ(curves.size(), 4U);
  EXPECT_EQ(curves[1].weighting, "linear");
  EXPECT_NEAR(curves[1].weights[1], 2.0 / 3, 1e-12);
  EXPECT_EQ(curves[2].weighting, "feature_spread");
  EXPECT_THAT(curves[2].weights, ElementsAre(0.25, 0.75));
}

TEST(WeightCurvesTest, AWeightingThatComesAgainLaterHasOneAllTheSame) {
  EvaluationPlan plan = Plan(EvaluatedModel());
  plan.joins = {ParseJoinKind("uniform+sum").value(),
                ParseJoinKind("linear+sum").value(),
                ParseJoinKind("uniform+product").value()};
  EXPECT_EQ(WeightCurves(plan, EvaluatedModel()).size(), 2U);
}

TEST(PointingRequestsTest, OneRequestServesAllMethods) {
  const EvaluationPlan plan = Plan(EvaluatedModel());
  const auto requests = PointingRequests(plan, CatAndDog(), 1);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].combinations_size(), 8);
  EXPECT_TRUE(requests[0].layer_maps());
  EXPECT_EQ(requests[0].output().encoding(), v1::MAP_ENCODING_NONE);
  EXPECT_EQ(requests[0].output().named_size(), v1::NAMED_SIZE_IMAGE);
  EXPECT_FALSE(requests[0].output().has_max_side());
  ASSERT_EQ(requests[0].targets_size(), 2);
  EXPECT_EQ(requests[0].targets(0).label(), "cat");
}

TEST(PointingRequestsTest, SmoothingIsAskedForAndTellsPlansApart) {
  EvaluationPlan plan = Plan(EvaluatedModel());
  const std::string plain = plan.Text();
  plan.smooth = 0.02;
  EXPECT_EQ(plan.Text(), plain + " smooth=0.02");
  EXPECT_FLOAT_EQ(
      PointingRequests(plan, CatAndDog(), 1)[0].output().smooth_sigma(), 0.02F);
}

TEST(PointingRequestsTest, LimitsOfTheServerAreKept) {
  EvaluationPlan plan = Plan(EvaluatedModel());
  for (int i = 0; i < 100; ++i) plan.layers.push_back("l" + std::to_string(i));
  plan.methods.resize(40, "norm_grad");
  int combinations = 0;
  for (const auto& request : PointingRequests(plan, CatAndDog(), 1)) {
    EXPECT_LE(request.combinations_size(), 64);
    int layers = 0;
    for (const v1::Combination& combination : request.combinations()) {
      layers += combination.attribution().layers_size();
    }
    EXPECT_LE(layers, 512);
    combinations += request.combinations_size();
  }
  EXPECT_EQ(combinations, 40 * 4);
}

TEST(PointingRequestsTest, PixelsOfAllMapsAreCounted) {
  EvaluationPlan plan = Plan(EvaluatedModel());
  plan.methods.resize(6, "norm_grad");
  constexpr int64_t kPixels = 2'000'000;
  // Two targets of two layers and four combinations: 24 M for each method.
  const auto requests = PointingRequests(plan, CatAndDog(), kPixels);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].combinations_size(), 5 * 4);
  EXPECT_EQ(requests[1].combinations_size(), 1 * 4);
}

v1::CombineLayersResponse Answer() {
  v1::CombineLayersResponse answer;
  v1::SaliencyMap* map = answer.add_layer_maps();
  map->set_method("norm_grad");
  map->set_layer("layer1");
  map->set_target(0);
  map->mutable_point()->set_y(12);
  map->mutable_point()->set_x(12);
  v1::CombinedMap* combined = answer.add_combined();
  combined->set_weighting(v1::WEIGHTING_LINEAR);
  combined->set_rule(v1::COMBINE_RULE_PRODUCT);
  combined->mutable_map()->set_method("norm_grad");
  combined->mutable_map()->set_target(1);
  combined->mutable_map()->mutable_point()->set_y(12);
  return answer;
}

// What a server answers about an image of 60 rows and 80 columns.
v1::CombineLayersResponse WholeAnswer(int layer_maps, int combined) {
  v1::CombineLayersResponse answer;
  for (int i = 0; i < layer_maps; ++i) answer.add_layer_maps();
  for (int i = 0; i < combined; ++i) answer.add_combined();
  for (v1::SaliencyMap& map : *answer.mutable_layer_maps()) {
    map.set_height(60);
    map.set_width(80);
  }
  for (v1::CombinedMap& one : *answer.mutable_combined()) {
    one.mutable_map()->set_height(60);
    one.mutable_map()->set_width(80);
  }
  return answer;
}

TEST(CheckAnswerTest, EveryMapThatWasAskedForIsThere) {
  const VocAnnotation annotation = {.height = 60, .width = 80};
  // Two targets of two methods, each at two layers and in four combinations.
  const auto request = PointingRequests(Plan(EvaluatedModel()), CatAndDog(), 1);
  const auto check = [&](int layer_maps, int combined) {
    return CheckAnswer(annotation, request[0],
                       WholeAnswer(layer_maps, combined));
  };
  EXPECT_TRUE(check(8, 16).ok()) << check(8, 16);
  for (const auto& [layer_maps, combined] :
       {std::pair(0, 16), {7, 16}, {9, 16}, {8, 15}, {8, 0}}) {
    EXPECT_EQ(check(layer_maps, combined).code(), absl::StatusCode::kInternal)
        << layer_maps << " and " << combined;
  }
}

TEST(CheckAnswerTest, MapsOfAnotherSizeThanAnnotatedAreRefused) {
  const VocAnnotation annotation = {.height = 60, .width = 80};
  const auto request = PointingRequests(Plan(EvaluatedModel()), CatAndDog(), 1);
  v1::CombineLayersResponse turned = WholeAnswer(8, 16);
  turned.mutable_combined(15)->mutable_map()->set_height(80);
  turned.mutable_combined(15)->mutable_map()->set_width(60);
  EXPECT_EQ(CheckAnswer(annotation, request[0], turned).code(),
            absl::StatusCode::kInvalidArgument);
  // A map that failed has no size; what it says instead is told later.
  turned.mutable_combined(15)->mutable_map()->mutable_status()->set_code(9);
  EXPECT_TRUE(CheckAnswer(annotation, request[0], turned).ok());
}

TEST(PointingGamesTest, EachMapIsAGameForItsTarget) {
  const auto trials = PointingTrials("7", CatAndDog(), Answer());
  ASSERT_TRUE(trials.ok()) << trials.status();
  ASSERT_EQ(trials->size(), 2U);
  EXPECT_EQ((*trials)[0].category, "cat");
  EXPECT_TRUE((*trials)[0].hit);
  EXPECT_TRUE((*trials)[0].difficult);
  EXPECT_FALSE((*trials)[0].combined);
  EXPECT_EQ((*trials)[1].category, "dog");
  EXPECT_EQ((*trials)[1].place, "linear+product");
  EXPECT_FALSE((*trials)[1].hit);
  EXPECT_TRUE((*trials)[1].combined);
}

TEST(PointingGamesTest, AFailedResultFailsTheImage) {
  v1::CombineLayersResponse answer = Answer();
  answer.mutable_layer_maps(0)->mutable_status()->set_code(9);
  answer.mutable_layer_maps(0)->mutable_status()->set_message("not finite");
  const auto trials = PointingTrials("7", CatAndDog(), answer);
  EXPECT_EQ(trials.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(trials.status().message()),
              HasSubstr("norm_grad @ layer1: not finite"));
  answer = Answer();
  answer.mutable_layer_maps(0)->set_target(5);
  EXPECT_EQ(PointingTrials("7", CatAndDog(), answer).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace saliency::pointing_requests_test
