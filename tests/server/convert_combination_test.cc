#include "server/convert/convert_combination.h"

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::convert_combination_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

v1::CombineLayersRequest ImageRequest() {
  v1::CombineLayersRequest request;
  request.mutable_input()->set_image("bytes");
  return request;
}

v1::CombineLayersRequest MapsRequest() {
  v1::CombineLayersRequest request;
  for (const char* layer : {"early", "late"}) {
    v1::PrecomputedMap* map = request.mutable_maps()->add_maps();
    map->set_layer(layer);
    map->mutable_values()->add_shape(2);
    map->mutable_values()->add_shape(3);
    map->mutable_values()->set_data(std::string(24, '\0'));
  }
  return request;
}

TEST(ConvertCombinationTest, NothingButAnImageIsNormGradSummedUniformly) {
  const Job job = JobFromProto(ImageRequest(), {}).value();
  EXPECT_TRUE(job.attributions.empty());
  ASSERT_THAT(job.combinations, SizeIs(1));
  const JobCombination& combination = job.combinations[0];
  EXPECT_EQ(combination.attribution->name(), "norm_grad");
  EXPECT_TRUE(combination.layers.empty());
  EXPECT_TRUE(combination.weights.empty());
  EXPECT_EQ(combination.weighting, Weighting::kUniform);
  EXPECT_EQ(combination.rule, CombineRule::kSum);
  EXPECT_FALSE(job.layer_maps);
}

TEST(ConvertCombinationTest, EveryFieldArrives) {
  v1::CombineLayersRequest request = ImageRequest();
  request.mutable_model()->set_name("m");
  request.mutable_model()->set_version(7);
  request.add_targets()->set_class_index(4);
  request.set_score(v1::SCORE_SOFTMAX);
  request.mutable_output()->set_smooth_sigma(0.25F);
  request.set_top_k(3);
  request.set_layer_maps(true);
  v1::Combination* combination = request.add_combinations();
  combination->mutable_attribution()->set_method("gradient");
  combination->mutable_attribution()->add_layers("a");
  combination->set_weighting(v1::WEIGHTING_CLASSIFICATION_ACCURACY);
  combination->set_rule(v1::COMBINE_RULE_PRODUCT);
  combination = request.add_combinations();
  v1::ExtractAggregate* pair =
      combination->mutable_attribution()->mutable_pair();
  pair->set_extract(v1::EXTRACT_CONV1X1);
  pair->set_aggregate(v1::AGGREGATE_NORM);
  combination->set_weighting(v1::WEIGHTING_EXPLICIT);
  v1::LayerWeight* weight = combination->add_weights();
  weight->set_layer("b");
  weight->set_weight(0.5F);
  const Job job = JobFromProto(request, {}).value();
  EXPECT_EQ(job.model, "m");
  EXPECT_EQ(job.version, 7);
  EXPECT_THAT(job.targets, SizeIs(1));
  EXPECT_EQ(job.score, Score::kSoftmax);
  EXPECT_EQ(job.output.smooth_sigma, 0.25);
  EXPECT_EQ(job.top_k, 3);
  EXPECT_TRUE(job.layer_maps);
  ASSERT_THAT(job.combinations, SizeIs(2));
  EXPECT_THAT(job.combinations[0].layers, ElementsAre("a"));
  EXPECT_EQ(job.combinations[0].weighting, Weighting::kClassificationAccuracy);
  EXPECT_EQ(job.combinations[0].rule, CombineRule::kProduct);
  EXPECT_EQ(job.combinations[1].attribution->name(), "conv1x1+norm");
  ASSERT_THAT(job.combinations[1].weights, SizeIs(1));
  EXPECT_EQ(job.combinations[1].weights[0].layer, "b");
  EXPECT_EQ(job.combinations[1].weights[0].weight, 0.5);
}

TEST(ConvertCombinationTest, MapsArriveAndAskNoMethod) {
  v1::CombineLayersRequest request = MapsRequest();
  request.mutable_maps()->set_image("bytes");
  const Job job = JobFromProto(request, {}).value();
  const auto& given = std::get<PrecomputedMaps>(job.input);
  EXPECT_EQ(given.image, "bytes");
  ASSERT_THAT(given.maps, SizeIs(2));
  EXPECT_EQ(given.maps[1].layer, "late");
  EXPECT_EQ(given.maps[1].height, 2);
  EXPECT_EQ(given.maps[1].width, 3);
  EXPECT_THAT(given.maps[1].data, SizeIs(24));
  ASSERT_THAT(job.combinations, SizeIs(1));
  EXPECT_FALSE(job.combinations[0].attribution.has_value());
}

struct Bad {
  std::string name;
  std::function<void(v1::CombineLayersRequest&)> spoil;
  std::string message;
  bool maps = false;
};

class BadRequestTest : public testing::TestWithParam<Bad> {};

TEST_P(BadRequestTest, IsRefusedByName) {
  v1::CombineLayersRequest request =
      GetParam().maps ? MapsRequest() : ImageRequest();
  GetParam().spoil(request);
  const absl::Status status = JobFromProto(request, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), StartsWith(GetParam().message));
}

using Request = v1::CombineLayersRequest;

INSTANTIATE_TEST_SUITE_P(
    Table, BadRequestTest,
    testing::Values(
        Bad{"NoSubject", [](Request& r) { r.clear_subject(); },
            "input: not set, nor are maps"},
        Bad{"EmptyInput", [](Request& r) { r.mutable_input()->Clear(); },
            "input: neither image nor tensor is set"},
        Bad{"VersionZero",
            [](Request& r) { r.mutable_model()->set_version(0); },
            "model.version: 0 is less than 1"},
        Bad{"TooManyTargets",
            [](Request& r) {
              for (int i = 0; i < 65; ++i) r.add_targets();
            },
            "targets: 65 of at most 64"},
        Bad{"TooManyCombinations",
            [](Request& r) {
              for (int i = 0; i < 65; ++i) r.add_combinations();
            },
            "combinations: 65 of at most 64"},
        Bad{"TooManyLayers",
            [](Request& r) {
              auto* attribution = r.add_combinations()->mutable_attribution();
              for (int i = 0; i < 513; ++i) attribution->add_layers("a");
            },
            "combinations: layers in all: 513 of at most 512"},
        Bad{"TooManyWeights",
            [](Request& r) {
              v1::Combination* combination = r.add_combinations();
              for (int i = 0; i < 513; ++i) combination->add_weights();
            },
            "combinations: weights in all: 513 of at most 512"},
        Bad{"UnknownMethod",
            [](Request& r) {
              r.add_combinations();
              r.add_combinations()->mutable_attribution()->set_method("");
            },
            "combinations[1]: attribution: method \"\" is unknown; "
            "known: batch_norm_bias, batch_norm_scale, cam, "},
        Bad{"UnspecifiedPair",
            [](Request& r) {
              r.add_combinations()->mutable_attribution()->mutable_pair();
            },
            "2 violations: (1) combinations[0]: attribution: pair.extract: "
            "unspecified; (2) combinations[0]: attribution: pair.aggregate: "
            "unspecified"},
        Bad{"UnknownWeighting",
            [](Request& r) {
              r.add_combinations()->set_weighting(
                  static_cast<v1::Weighting>(9));
            },
            "combinations[0]: weighting: unknown value 9"},
        Bad{"UnknownRule",
            [](Request& r) {
              r.add_combinations()->set_rule(static_cast<v1::CombineRule>(5));
            },
            "combinations[0]: rule: unknown value 5"},
        Bad{"UnknownScore",
            [](Request& r) { r.set_score(static_cast<v1::Score>(77)); },
            "score: unknown value 77"},
        Bad{"MapsOfAModel",
            [](Request& r) { r.mutable_model()->set_name("m"); },
            "model: not allowed with maps, which ask no model", true},
        Bad{"MapsOfAVersion",
            [](Request& r) { r.mutable_model()->set_version(1); },
            "model: not allowed with maps, which ask no model", true},
        Bad{"MapsOfATarget", [](Request& r) { r.add_targets(); },
            "targets: not allowed with maps, which ask no model", true},
        Bad{"MapsOfAScore", [](Request& r) { r.set_score(v1::SCORE_LOGIT); },
            "score: not allowed with maps, which ask no model", true},
        Bad{"MapsOfAMethod",
            [](Request& r) {
              r.add_combinations()->mutable_attribution()->set_method("cam");
            },
            "combinations[0]: attribution: a method or pair is not allowed "
            "with "
            "maps",
            true},
        Bad{"MapOfThreeSizes",
            [](Request& r) {
              r.mutable_maps()->mutable_maps(1)->mutable_values()->add_shape(1);
            },
            "maps.maps[1].values.shape has 3 sizes; [H,W] is needed", true},
        Bad{"TooManyMaps",
            [](Request& r) {
              for (int i = 0; i < 511; ++i) r.mutable_maps()->add_maps();
            },
            "maps.maps: 513 of at most 512", true}),
    [](const auto& test) { return test.param.name; });

TEST(ConvertCombinationTest, AnswersCarryMapsSharesAndLayers) {
  Explanation answer = {.model = "m", .version = 3, .batch_requests = 2};
  answer.images.push_back({.height = 4, .width = 5});
  CombinedResult good = {.map = {.image = 1,
                                 .target = 2,
                                 .attribution = 3,
                                 .method = "norm_grad",
                                 .height = 4,
                                 .width = 5,
                                 .raw_max = 0.5F,
                                 .region = {.height = 4, .width = 5},
                                 .encoding = MapEncoding::kFloat32,
                                 .data = "pixels"},
                         .weighting = Weighting::kLinear,
                         .rule = CombineRule::kProduct,
                         .shares = {{.layer = "a", .weight = 1},
                                    {.layer = "b", .constant = true}}};
  CombinedResult failed = {
      .map = {.status = absl::NotFoundError("layer"), .attribution = 4},
      .weighting = Weighting::kFeatureSpread};
  answer.combined = {good, failed};
  answer.layer_maps = {{.layer = "a", .data = "more"}};
  v1::CombineLayersResponse response;
  ToProto(std::move(answer), "id", &response);
  EXPECT_EQ(response.summary().model().name(), "m");
  EXPECT_EQ(response.summary().model().version(), 3);
  EXPECT_EQ(response.summary().batch().requests(), 2);
  EXPECT_EQ(response.summary().images(0).width(), 5);
  ASSERT_EQ(response.combined_size(), 2);
  const v1::CombinedMap& combined = response.combined(0);
  EXPECT_EQ(combined.map().attribution(), 3);
  EXPECT_EQ(combined.map().target(), 2);
  EXPECT_EQ(combined.map().data(), "pixels");
  EXPECT_EQ(combined.map().raw_max(), 0.5F);
  EXPECT_EQ(combined.weighting(), v1::WEIGHTING_LINEAR);
  EXPECT_EQ(combined.rule(), v1::COMBINE_RULE_PRODUCT);
  ASSERT_EQ(combined.shares_size(), 2);
  EXPECT_EQ(combined.shares(0).layer(), "a");
  EXPECT_EQ(combined.shares(0).weight(), 1);
  EXPECT_TRUE(combined.shares(1).constant());
  EXPECT_EQ(response.combined(1).map().status().code(), 5);
  EXPECT_EQ(response.combined(1).weighting(), v1::WEIGHTING_FEATURE_SPREAD);
  ASSERT_EQ(response.layer_maps_size(), 1);
  EXPECT_EQ(response.layer_maps(0).data(), "more");
}

}  // namespace
}  // namespace saliency::convert_combination_test
