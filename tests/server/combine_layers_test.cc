// CombineLayers through the whole server, over a fake model.

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::combine_layers_test {
namespace {

using Request = v1::CombineLayersRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// norm_grad at "conv" and "last" of a tensor of zeros, summed at the size of
// the fake's maps.
Request FakeCombineRequest() {
  Request request;
  v1::Tensor* tensor = request.mutable_input()->mutable_tensor();
  for (const int size : {3, 8, 8}) tensor->add_shape(size);
  tensor->set_data(std::string(3 * 8 * 8 * sizeof(float), '\0'));
  v1::Combination* combination = request.add_combinations();
  combination->mutable_attribution()->set_method("norm_grad");
  combination->mutable_attribution()->add_layers("conv");
  combination->mutable_attribution()->add_layers("last");
  request.mutable_output()->mutable_explicit_size()->set_height(2);
  request.mutable_output()->mutable_explicit_size()->set_width(2);
  return request;
}

Request FakeMapsRequest() {
  Request request;
  const float maps[2][4] = {{0, 1, 2, 4}, {7, 6, 6, 5}};
  for (const auto& values : maps) {
    v1::PrecomputedMap* map = request.mutable_maps()->add_maps();
    map->set_layer(request.maps().maps_size() == 1 ? "early" : "late");
    map->mutable_values()->add_shape(2);
    map->mutable_values()->add_shape(2);
    map->mutable_values()->set_data(reinterpret_cast<const char*>(values),
                                    sizeof(values));
  }
  return request;
}

grpc::Status Ask(TestServer& server, const Request& request,
                 v1::CombineLayersResponse& response) {
  grpc::ClientContext context;
  return server.saliency().CombineLayers(&context, request, &response);
}

TEST(CombineLayersTest, AnswersWithTheMapItsSharesAndItsLayers) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeCombineRequest();
  request.mutable_combinations(0)->set_weighting(v1::WEIGHTING_LINEAR);
  request.set_layer_maps(true);
  v1::CombineLayersResponse response;
  const grpc::Status status = Ask(server, request, response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.summary().model().name(), "fake");
  EXPECT_EQ(response.summary().batch().requests(), 1);
  EXPECT_EQ(response.summary().images(0).top_size(), 5);
  ASSERT_EQ(response.combined_size(), 1);
  const v1::CombinedMap& combined = response.combined(0);
  EXPECT_EQ(combined.map().status().code(), 0);
  EXPECT_EQ(combined.map().explained_class().label(), "class9");
  // The fake's maps differ by a constant, so that each is 0, 1/3, 2/3, 1.
  EXPECT_THAT(Floats(combined.map().data()),
              ElementsAre(0, testing::FloatEq(1.0F / 3),
                          testing::FloatEq(2.0F / 3), 1));
  ASSERT_EQ(combined.shares_size(), 2);
  EXPECT_FLOAT_EQ(combined.shares(1).weight(), 2.0F / 3);
  ASSERT_EQ(response.layer_maps_size(), 2);
  EXPECT_EQ(response.layer_maps(0).layer(), "conv");
  EXPECT_EQ(response.layer_maps(1).layer(), "last");
  EXPECT_EQ(server.Metric("saliency_requests_total",
                          {{"rpc", "CombineLayers"}, {"code", "OK"}}),
            1);
}

TEST(CombineLayersTest, OneBadCombinationDoesNotFailTheOthers) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeCombineRequest();
  v1::Combination* unknown = request.add_combinations();
  unknown->mutable_attribution()->add_layers("cnv");
  v1::Combination* uncalibrated = request.add_combinations();
  *uncalibrated = request.combinations(0);
  uncalibrated->set_weighting(v1::WEIGHTING_FEATURE_SPREAD);
  v1::CombineLayersResponse response;
  ASSERT_TRUE(Ask(server, request, response).ok());
  ASSERT_EQ(response.combined_size(), 3);
  EXPECT_EQ(response.combined(0).map().status().code(), 0);
  EXPECT_EQ(response.combined(1).map().status().code(), 5);
  EXPECT_THAT(response.combined(1).map().status().message(),
              HasSubstr("layer \"cnv\" not found; nearest: \"conv\""));
  EXPECT_EQ(response.combined(2).map().status().code(), 9);
  EXPECT_THAT(response.combined(2).map().status().message(),
              HasSubstr("`saliency calibrate`"));
}

TEST(CombineLayersTest, AnUncalibratedWeightingAloneFailsTheCall) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeCombineRequest();
  request.mutable_combinations(0)->set_weighting(
      v1::WEIGHTING_CLASSIFICATION_ACCURACY);
  v1::CombineLayersResponse response;
  const grpc::Status status = Ask(server, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(),
            "combinations[0]: CLASSIFICATION_ACCURACY weights of this model "
            "are not calibrated: measure them with `saliency calibrate` or "
            "choose another weighting");
}

TEST(CombineLayersTest, MapsNeedNoModel) {
  TestServer server;  // which holds none
  v1::CombineLayersResponse response;
  const grpc::Status status = Ask(server, FakeMapsRequest(), response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(response.summary().has_model());
  EXPECT_EQ(response.summary().images_size(), 0);
  ASSERT_EQ(response.combined_size(), 1);
  EXPECT_THAT(Floats(response.combined(0).map().data()),
              ElementsAre(0.5F, 0.375F, 0.5F, 0.5F));
  EXPECT_EQ(response.combined(0).shares(1).layer(), "late");
  EXPECT_TRUE(server.explainer_log().Batches().empty());
}

TEST(CombineLayersTest, MapsOfAnEarlierAnswerCombineAsTheModelWould) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeCombineRequest();
  request.set_layer_maps(true);
  v1::CombineLayersResponse first;
  ASSERT_TRUE(Ask(server, request, first).ok());
  Request again;
  for (const v1::SaliencyMap& map : first.layer_maps()) {
    v1::PrecomputedMap* given = again.mutable_maps()->add_maps();
    given->set_layer(map.layer());
    given->mutable_values()->add_shape(map.height());
    given->mutable_values()->add_shape(map.width());
    given->mutable_values()->set_data(map.data());
  }
  v1::CombineLayersResponse second;
  ASSERT_TRUE(Ask(server, again, second).ok());
  EXPECT_EQ(second.combined(0).map().data(), first.combined(0).map().data());
}

struct Case {
  const char* name;
  Request request;
  std::function<void(Request&)> spoil;
  grpc::StatusCode code;
  const char* message;  // a part of it
};

class RefusedCombinationTest : public testing::TestWithParam<Case> {};

TEST_P(RefusedCombinationTest, GetsTheCodeOfTheTableAndTheNextOneWorks) {
  TestServer server;
  server.AddFakeModel();
  Request request = GetParam().request;
  GetParam().spoil(request);
  v1::CombineLayersResponse response;
  const grpc::Status status = Ask(server, request, response);
  EXPECT_EQ(status.error_code(), GetParam().code) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().message));
  EXPECT_THAT(status.error_message(), Not(HasSubstr("Exception")));
  EXPECT_TRUE(Ask(server, GetParam().request, response).ok());
}

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
constexpr auto kNotFound = grpc::StatusCode::NOT_FOUND;

void AddWeight(Request& request, const char* layer, float weight) {
  request.mutable_combinations(0)->set_weighting(v1::WEIGHTING_EXPLICIT);
  v1::LayerWeight* added = request.mutable_combinations(0)->add_weights();
  added->set_layer(layer);
  added->set_weight(weight);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedCombinationTest,
    testing::Values(
        Case{"UnknownModel", FakeCombineRequest(),
             [](Request& r) { r.mutable_model()->set_name("fke"); }, kNotFound,
             "model \"fke\" not found; nearest: \"fake\""},
        Case{"UnknownLayer", FakeCombineRequest(),
             [](Request& r) {
               r.mutable_combinations(0)->mutable_attribution()->set_layers(
                   1, "lst");
             },
             kNotFound, "combinations[0]: layer \"lst\" not found"},
        Case{"LayerThatIsNotSpatial", FakeCombineRequest(),
             [](Request& r) {
               r.mutable_combinations(0)->mutable_attribution()->set_layers(
                   1, "pool");
             },
             kInvalid, "layer \"pool\" has shape [8]"},
        Case{"RepeatedLayer", FakeCombineRequest(),
             [](Request& r) {
               r.mutable_combinations(0)->mutable_attribution()->set_layers(
                   1, "conv");
             },
             kInvalid, "combinations[0] names layer \"conv\" twice"},
        Case{"NegativeWeight", FakeCombineRequest(),
             [](Request& r) {
               AddWeight(r, "conv", 1);
               AddWeight(r, "last", -0.5F);
             },
             kInvalid,
             "combinations[0].weights[1].weight -0.5 is not a finite number"},
        Case{"WeightsThatSumToZero", FakeCombineRequest(),
             [](Request& r) {
               AddWeight(r, "conv", 0);
               AddWeight(r, "last", 0);
             },
             kInvalid, "combinations[0].weights: all are 0"},
        Case{"LayerSize", FakeCombineRequest(),
             [](Request& r) {
               r.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
             },
             kInvalid, "output.named_size LAYER is not for combinations"},
        Case{"ClassTooLarge", FakeCombineRequest(),
             [](Request& r) { r.add_targets()->set_class_index(10); }, kInvalid,
             "targets[0].class_index 10 not in [0, 10)"},
        Case{"UnknownWeighting", FakeCombineRequest(),
             [](Request& r) {
               r.mutable_combinations(0)->set_weighting(
                   static_cast<v1::Weighting>(9));
             },
             kInvalid, "combinations[0]: weighting: unknown value 9"},
        Case{"Nothing", FakeCombineRequest(),
             [](Request& r) { r.clear_subject(); }, kInvalid,
             "input: not set, nor are maps"},
        Case{"MapTooShort", FakeMapsRequest(),
             [](Request& r) {
               r.mutable_maps()
                   ->mutable_maps(1)
                   ->mutable_values()
                   ->mutable_data()
                   ->pop_back();
             },
             kInvalid, "maps.maps[1].values.data has 15 bytes"},
        Case{"MapsOfAModel", FakeMapsRequest(),
             [](Request& r) { r.mutable_model()->set_name("fake"); }, kInvalid,
             "model: not allowed with maps"},
        Case{"CalibratedWeightingOfMaps", FakeMapsRequest(),
             [](Request& r) {
               r.add_combinations()->set_weighting(
                   v1::WEIGHTING_FEATURE_SPREAD);
             },
             kInvalid,
             "combinations[0].weighting FEATURE_SPREAD needs a model"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace saliency::combine_layers_test
