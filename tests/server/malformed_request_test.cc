// What only the engine can find wrong with a request, told through the whole
// server: every cause of the error table that a caller can bring about.

#include <functional>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::malformed_request_test {
namespace {

using Request = v1::ComputeSaliencyRequest;
using ::testing::HasSubstr;
using ::testing::Not;

struct Case {
  const char* name;
  std::function<void(Request&)> spoil;
  grpc::StatusCode code;
  const char* message;  // a part of it
};

class RefusedRequestTest : public testing::TestWithParam<Case> {};

TEST_P(RefusedRequestTest, GetsTheCodeOfTheTableAndNamesTheField) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeRequest();
  GetParam().spoil(request);
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, request, &response);
  EXPECT_EQ(status.error_code(), GetParam().code) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().message));
  EXPECT_THAT(status.error_message(), Not(HasSubstr("/work")));
  EXPECT_THAT(status.error_message(), Not(HasSubstr("Exception")));
}

// Those that the wire's form shows and those that only the engine knows.
TEST(RefusedAtOnceTest, AllViolationsAreInOneAnswer) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeRequest();
  request.set_top_k(0);
  request.set_score(static_cast<v1::Score>(99));
  request.add_targets()->set_class_index(10);
  request.mutable_attributions(0)->set_method("grad_cma");
  request.mutable_attributions(0)->add_layers("konv");
  request.mutable_output()->set_smooth_sigma(7);
  request.mutable_output()->set_encoding(static_cast<v1::MapEncoding>(99));
  request.mutable_input()->mutable_tensor()->add_shape(3);
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  for (const char* part :
       {"8 violations: (1) ", "top_k 0 not in", "score: unknown value 99",
        "targets[0].class_index 10 not in",
        "attributions[0]: method \"grad_cma\" is unknown",
        "attributions[0]: layer \"konv\" not found; nearest: \"conv\"",
        "output.smooth_sigma 7 not in", "output.encoding: unknown value 99",
        "input.tensor.shape"}) {
    EXPECT_THAT(status.error_message(), HasSubstr(part));
  }
}

TEST(RefusedAtOnceTest, AnUnknownModelDoesNotHideTheRest) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeRequest();
  request.mutable_model()->set_name("fke");
  request.mutable_attributions(0)->set_method("grad_cma");
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("model \"fke\" not found"));
  EXPECT_THAT(status.error_message(), HasSubstr("\"grad_cma\" is unknown"));
}

TEST(RefusedAtOnceTest, PrecomputedMapsAreLookedAtAsAWhole) {
  TestServer server;
  v1::CombineLayersRequest request;
  request.mutable_model()->set_name("fake");
  request.mutable_maps()->add_maps()->set_layer("a");
  request.set_top_k(0);
  request.add_combinations()->set_rule(static_cast<v1::CombineRule>(99));
  request.add_combinations()->set_weighting(v1::WEIGHTING_FEATURE_SPREAD);
  grpc::ClientContext context;
  v1::CombineLayersResponse response;
  const grpc::Status status =
      server.saliency().CombineLayers(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  for (const char* part :
       {"model: not allowed with maps", "top_k 0 not in",
        "maps.maps[0].values.shape", "combinations[0]: rule: unknown value 99",
        "combinations[1].weighting FEATURE_SPREAD needs a model"}) {
    EXPECT_THAT(status.error_message(), HasSubstr(part));
  }
}

// The client need not know: a program in any language may use such a name.
TEST(RefusedAtOnceTest, AnAliasIsAnsweredUnderTheMethodsName) {
  TestServer server;
  server.AddFakeModel();
  Request request = FakeRequest();
  request.mutable_attributions(0)->set_method("Grad-CAM");
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.maps(0).method(), "grad_cam");
}

void SetShape(Request& request, const std::vector<int64_t>& shape) {
  auto* sizes = request.mutable_input()->mutable_tensor()->mutable_shape();
  sizes->Assign(shape.begin(), shape.end());
}

void SetFirstValue(Request& request, float value) {
  std::string* data = request.mutable_input()->mutable_tensor()->mutable_data();
  data->replace(0, sizeof(value), reinterpret_cast<const char*>(&value),
                sizeof(value));
}

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
constexpr auto kNotFound = grpc::StatusCode::NOT_FOUND;
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    All, RefusedRequestTest,
    testing::Values(
        Case{"UnknownModel",
             [](Request& r) { r.mutable_model()->set_name("fke"); }, kNotFound,
             "model \"fke\" not found; nearest: \"fake\""},
        Case{"UnknownVersion",
             [](Request& r) { r.mutable_model()->set_version(2); }, kNotFound,
             "version \"2\" not found; nearest: \"1\""},
        Case{
            "UnknownLayer",
            [](Request& r) { r.mutable_attributions(0)->set_layers(0, "cnv"); },
            kNotFound, "layer \"cnv\" not found; nearest: \"conv\""},
        Case{"RepeatedLayer",
             [](Request& r) { r.mutable_attributions(0)->add_layers("conv"); },
             kInvalid, "attributions[0].layers names \"conv\" twice"},
        Case{"LayerThatIsNotSpatial",
             [](Request& r) {
               r.mutable_attributions(0)->set_layers(0, "pool");
             },
             kInvalid, "layer \"pool\" has shape [8]"},
        Case{"UnknownLabel",
             [](Request& r) { r.add_targets()->set_label("clas9"); }, kInvalid,
             "nearest: \"class9\""},
        Case{"ClassTooLarge",
             [](Request& r) { r.add_targets()->set_class_index(10); }, kInvalid,
             "targets[0].class_index 10 not in [0, 10)"},
        Case{"NegativeClass",
             [](Request& r) { r.add_targets()->set_class_index(-1); }, kInvalid,
             "targets[0].class_index -1 not in [0, 10)"},
        Case{"RankTooLarge",
             [](Request& r) { r.add_targets()->set_rank_from_top(10); },
             kInvalid, "targets[0].rank_from_top 10 not in [0, 10)"},
        Case{"NegativeRankFromBottom",
             [](Request& r) { r.add_targets()->set_rank_from_bottom(-3); },
             kInvalid, "targets[0].rank_from_bottom -3 not in [0, 10)"},
        Case{"ScalarOutputOfAClassifier",
             [](Request& r) { r.set_score(v1::SCORE_SCALAR_OUTPUT); }, kInvalid,
             "SCALAR_OUTPUT"},
        Case{"TopKZero", [](Request& r) { r.set_top_k(0); }, kInvalid,
             "top_k 0 not in [1, 100]"},
        Case{"TopKTooLarge", [](Request& r) { r.set_top_k(101); }, kInvalid,
             "top_k 101 not in [1, 100]"},
        Case{"Garbage",
             [](Request& r) { r.mutable_input()->set_image("garbage"); },
             kInvalid, "input.image"},
        Case{"NoShape", [](Request& r) { SetShape(r, {}); }, kInvalid,
             "input.tensor.shape has 0 sizes"},
        Case{"TwoSizes",
             [](Request& r) {
               SetShape(r, {3, 64});
             },
             kInvalid, "input.tensor.shape has 2 sizes"},
        Case{"OneChannel",
             [](Request& r) {
               SetShape(r, {1, 8, 24});
             },
             kInvalid, "input.tensor.shape [1,8,24]"},
        Case{"ZeroSize",
             [](Request& r) {
               SetShape(r, {3, 0, 8});
             },
             kInvalid, "[3,0,8] has a size below 1"},
        Case{"NegativeSizes",
             [](Request& r) {
               SetShape(r, {3, -8, -8});
             },
             kInvalid, "[3,-8,-8] has a size below 1"},
        Case{"SizesThatOverflow",
             [](Request& r) {
               SetShape(r, {3, kHuge, 4});
             },
             kInvalid, "input.tensor.shape"},
        Case{"MoreImagesThanRows",
             [](Request& r) {
               SetShape(r, {kHuge, 3, 1, 1});
             },
             kInvalid, "input.tensor.shape"},
        Case{"DataTooShort",
             [](Request& r) {
               SetShape(r, {3, 8, 9});
             },
             kInvalid, "input.tensor.data has 768 bytes"},
        Case{"NotANumber",
             [](Request& r) {
               SetFirstValue(r, std::numeric_limits<float>::quiet_NaN());
             },
             kInvalid, "input.tensor.data: value 0 of 192 is not finite"},
        Case{"Infinite",
             [](Request& r) {
               SetFirstValue(r, std::numeric_limits<float>::infinity());
             },
             kInvalid, "is not finite"},
        Case{"ZeroHeight",
             [](Request& r) {
               r.mutable_output()->mutable_explicit_size()->set_width(1);
             },
             kInvalid, "output.explicit_size 0 x 1"},
        Case{"NegativeWidth",
             [](Request& r) {
               auto* size = r.mutable_output()->mutable_explicit_size();
               size->set_height(1);
               size->set_width(-5);
             },
             kInvalid, "output.explicit_size 1 x -5"},
        Case{"TooManyPixels",
             [](Request& r) {
               auto* size = r.mutable_output()->mutable_explicit_size();
               size->set_height(2'000'000'000);
               size->set_width(2'000'000'000);
             },
             kInvalid, "output.explicit_size 2000000000 x 2000000000"},
        Case{"SigmaTooLarge",
             [](Request& r) { r.mutable_output()->set_smooth_sigma(0.6F); },
             kInvalid, "output.smooth_sigma 0.6 not in [0, 0.5]"},
        Case{"SigmaNotANumber",
             [](Request& r) {
               r.mutable_output()->set_smooth_sigma(
                   std::numeric_limits<float>::quiet_NaN());
             },
             kInvalid, "output.smooth_sigma nan"},
        Case{"UnknownColourMap",
             [](Request& r) { r.mutable_output()->set_colour_map("jet"); },
             kInvalid, "output.colour_map"},
        Case{"OpacityTooLarge",
             [](Request& r) { r.mutable_output()->set_overlay_opacity(1.5F); },
             kInvalid, "output.overlay_opacity 1.5 not in [0, 1]"},
        Case{"Png16OfRawMaps",
             [](Request& r) {
               r.mutable_output()->set_encoding(v1::MAP_ENCODING_PNG16);
             },
             kInvalid, "output.encoding PNG16 needs output.normalise"},
        Case{"OverlayOfATensor",
             [](Request& r) {
               r.mutable_output()->set_encoding(v1::MAP_ENCODING_OVERLAY_PNG);
             },
             kInvalid, "output.encoding OVERLAY_PNG needs input.image"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace saliency::malformed_request_test
