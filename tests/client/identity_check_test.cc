// What an identity check asks, reads and adds up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "client/cli/evaluate/identity_check_metrics.h"
#include "client/cli/evaluate/identity_check_report.h"
#include "client/cli/evaluate/identity_check_requests.h"

namespace saliency::identity_check_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

v1::GetModelResponse ModelWithConvs(const std::vector<std::string>& layers) {
  v1::GetModelResponse model;
  model.mutable_model()->set_name("net");
  model.add_methods()->set_name("norm_grad");
  if (layers.empty()) return model;
  v1::Method& method = *model.add_methods();
  method.set_name("norm_grad_real_conv");
  for (const std::string& layer : layers) method.add_layers(layer);
  return model;
}

TEST(IdentityRequestsTest, EveryConvolutionIsComparedUnlessLayersAreNamed) {
  const v1::GetModelResponse model = ModelWithConvs({"conv1", "conv2"});
  EXPECT_THAT(IdentityLayers({}, model).value(), ElementsAre("conv1", "conv2"));
  EXPECT_THAT(IdentityLayers({"conv2"}, model).value(), ElementsAre("conv2"));
  const absl::Status unknown = IdentityLayers({"conv3"}, model).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("nearest: \"conv"));
  EXPECT_EQ(IdentityLayers({}, ModelWithConvs({})).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(IdentityRequestsTest, MapsAreAskedForAtTheirOwnResolution) {
  const auto maps =
      IdentityRequests({"a", "b"}, {}, 1, IdentityRequest::kMaps).front();
  EXPECT_EQ(maps.output().named_size(), v1::NAMED_SIZE_LAYER);
  EXPECT_EQ(maps.output().encoding(), v1::MAP_ENCODING_FLOAT32);
  EXPECT_TRUE(maps.output().has_normalise());
  EXPECT_FALSE(maps.output().normalise());
  EXPECT_EQ(maps.targets_size(), 0);
  ASSERT_EQ(maps.attributions_size(), 2);
  EXPECT_EQ(maps.attributions(0).method(), "norm_grad");
  EXPECT_EQ(maps.attributions(1).method(), "norm_grad_real_conv");
  EXPECT_THAT(maps.attributions(1).layers(), ElementsAre("a", "b"));
  const auto points = IdentityRequests({"a"}, {{"cat", {}}, {"dog", {}}}, 1,
                                       IdentityRequest::kPoints)
                          .front();
  EXPECT_EQ(points.output().named_size(), v1::NAMED_SIZE_IMAGE);
  EXPECT_EQ(points.output().encoding(), v1::MAP_ENCODING_NONE);
  EXPECT_EQ(points.targets(1).label(), "dog");
}

TEST(IdentityRequestsTest, ManyLayersTakeSeveralRequests) {
  const std::vector<std::string> layers(600, "conv");
  const auto requests = IdentityRequests(layers, {}, 1, IdentityRequest::kMaps);
  int asked = 0;
  for (const auto& request : requests) {
    EXPECT_LE(2 * request.attributions(0).layers_size(), 512);
    asked += request.attributions(1).layers_size();
  }
  EXPECT_EQ(asked, 600);
}

TEST(IdentityRequestsTest, ManyMapsTakeSeveralRequests) {
  // DenseNet-121's convolutions, and three categories of an image of VOC's.
  const std::vector<std::string> layers(120, "conv");
  constexpr int64_t kPixels = 500 * 375;
  int asked = 0;
  const std::map<std::string, CategoryBoxes> categories = {
      {"cat", {}}, {"dog", {}}, {"sofa", {}}};
  const auto requests =
      IdentityRequests(layers, categories, kPixels, IdentityRequest::kPoints);
  for (const auto& request : requests) {
    const int here = request.attributions(0).layers_size();
    EXPECT_LE(int64_t{2} * 3 * here * kPixels, int64_t{128} << 20);
    asked += here;
  }
  EXPECT_EQ(requests.size(), 2U);
  EXPECT_EQ(asked, 120);
  EXPECT_EQ(
      IdentityRequests({"a", "b"}, {}, int64_t{1} << 40, IdentityRequest::kMaps)
          .size(),
      2U)
      << "the server refuses them";
}

void AddMap(const std::string& layer, const std::vector<float>& values, int x,
            v1::ComputeSaliencyResponse& answer) {
  v1::SaliencyMap& map = *answer.add_maps();
  map.set_method("norm_grad");
  map.set_layer(layer);
  map.set_height(1);
  map.set_width(static_cast<int>(values.size()));
  map.set_encoding(v1::MAP_ENCODING_FLOAT32);
  map.set_data(std::string(reinterpret_cast<const char*>(values.data()),
                           values.size() * sizeof(float)));
  map.mutable_explained_class()->set_class_index(3);
  map.mutable_point()->set_x(x);
}

TEST(IdentityRequestsTest, CorrelationsAndHitsAreThoseOfTheLayersPairs) {
  const std::map<std::string, CategoryBoxes> categories = {
      {"cat",
       {.boxes = {{.y = 0, .x = 0, .height = 1, .width = 1}},
        .all_difficult = false,
        .is_difficult = true}}};
  const auto request =
      IdentityRequests({"a", "b"}, categories, 1, IdentityRequest::kMaps)
          .front();
  v1::ComputeSaliencyResponse answer;
  AddMap("a", {1, 2, 3}, 0, answer);
  AddMap("b", {1, 2, 3}, 100, answer);
  AddMap("a", {5, 6, 7}, 14, answer);  // the real convolution's
  AddMap("b", {3, 2, 1}, 15, answer);
  const auto measured =
      IdentityMeasurements("p", categories, request, answer, &answer).value();
  ASSERT_EQ(measured.size(), 2U);
  EXPECT_EQ(measured[0].layer, "a");
  EXPECT_EQ(measured[0].category, "cat");
  EXPECT_TRUE(measured[0].difficult);
  EXPECT_EQ(measured[0].correlation, 1.0);
  EXPECT_TRUE(measured[0].hits->identity);
  EXPECT_TRUE(measured[0].hits->real_conv);
  EXPECT_EQ(measured[1].correlation, -1.0);
  EXPECT_FALSE(measured[1].hits->identity);
  EXPECT_FALSE(measured[1].hits->real_conv) << "15 pixels off is not within 15";
}

TEST(IdentityRequestsTest, WithoutBoxesThePredictedClassIsNamed) {
  const auto request =
      IdentityRequests({"a"}, {}, 1, IdentityRequest::kMaps).front();
  v1::ComputeSaliencyResponse answer;
  AddMap("a", {1, 2, 3}, 0, answer);
  AddMap("a", {4, 4, 4}, 0, answer);
  const auto measured =
      IdentityMeasurements("p", {}, request, answer, nullptr).value();
  ASSERT_EQ(measured.size(), 1U);
  EXPECT_EQ(measured[0].category, "3");
  EXPECT_EQ(measured[0].correlation, std::nullopt) << "one map is constant";
  EXPECT_FALSE(measured[0].hits.has_value());
}

TEST(IdentityRequestsTest, AnswersInAnotherShapeAreRefused) {
  const auto request =
      IdentityRequests({"a"}, {}, 1, IdentityRequest::kMaps).front();
  const auto code = [&](const v1::ComputeSaliencyResponse& answer) {
    return IdentityMeasurements("p", {}, request, answer, nullptr)
        .status()
        .code();
  };
  v1::ComputeSaliencyResponse answer;
  AddMap("a", {1, 2, 3}, 0, answer);
  EXPECT_EQ(code(answer), absl::StatusCode::kInternal) << "a map is missing";
  AddMap("a", {1, 2}, 0, answer);
  EXPECT_EQ(code(answer), absl::StatusCode::kInternal) << "sizes differ";
  answer.mutable_maps(1)->mutable_status()->set_code(9);
  EXPECT_EQ(code(answer), absl::StatusCode::kFailedPrecondition);
}

IdentityMeasurement Of(const std::string& image, const std::string& layer,
                       std::optional<double> correlation) {
  return {.image = image,
          .category = "cat",
          .layer = layer,
          .correlation = correlation};
}

TEST(IdentityMetricsTest, RowsComeBackAsTheyWere) {
  IdentityMeasurement measured = Of("a,b", "conv", 1.0 / 3);
  measured.hits = {.identity = true, .real_conv = false};
  const auto back = ParseIdentityRow(IdentityRow(measured)).value();
  EXPECT_EQ(back.image, "a,b");
  EXPECT_EQ(back.correlation, 1.0 / 3);
  EXPECT_TRUE(back.hits->identity);
  EXPECT_FALSE(back.hits->real_conv);
  const auto none =
      ParseIdentityRow(IdentityRow(Of("a", "conv", std::nullopt))).value();
  EXPECT_EQ(none.correlation, std::nullopt);
  EXPECT_FALSE(none.hits.has_value());
  EXPECT_FALSE(ParseIdentityRow({"a", "b"}).ok());
}

TEST(IdentityMetricsTest, CorrelationsAreSummarisedByLayer) {
  IdentityMetrics metrics;
  metrics.Add(Of("p1", "conv1", 0.9));
  metrics.Add(Of("p2", "conv1", 0.7));
  metrics.Add(Of("p3", "conv1", std::nullopt));
  metrics.Add(Of("p1", "conv2", 0.5));
  metrics.Add(Of("p1", "conv2", 0.4));  // measured again
  EXPECT_THAT(metrics.layers(), ElementsAre("conv1", "conv2"));
  EXPECT_EQ(metrics.images(), 3);
  const CorrelationSummary conv1 = metrics.Correlation("conv1");
  EXPECT_NEAR(conv1.mean, 0.8, 1e-12);
  EXPECT_NEAR(conv1.standard_deviation, 0.1, 1e-12);
  EXPECT_EQ(conv1.count, 2);
  EXPECT_EQ(conv1.undefined, 1);
  EXPECT_EQ(metrics.Correlation("conv2").mean, 0.4);
  const std::string text = IdentityTables(metrics, "title");
  EXPECT_THAT(text, HasSubstr("| conv1 | 0.800 +- 0.100 (1 undefined) |"));
  EXPECT_THAT(text, Not(HasSubstr("Pointing game")));
}

TEST(IdentityMetricsTest, DifferencesAreWithLessWithoutTheIdentity) {
  IdentityMetrics metrics;
  for (int i = 0; i < 4; ++i) {
    for (const char* layer : {"conv1", "conv2"}) {
      IdentityMeasurement measured = Of(std::string(1, 'a' + i), layer, 0.5);
      measured.difficult = i == 0;
      // conv1: 4 of 4 against 2 of 4; conv2: 1 of 4 against 1 of 4.
      const bool first = std::string(layer) == "conv1";
      measured.hits = {.identity = first || i == 0,
                       .real_conv = first ? i < 2 : i == 0};
      metrics.Add(measured);
    }
  }
  EXPECT_EQ(metrics.Accuracy("conv1", kIdentityMethod, PointingSubset::kAll)
                ->accuracy.mean,
            1.0);
  EXPECT_EQ(metrics.Accuracy("conv1", kRealConvMethod, PointingSubset::kAll)
                ->accuracy.mean,
            0.5);
  EXPECT_EQ(metrics.Difference("conv1", PointingSubset::kAll)->mean, 0.5);
  EXPECT_EQ(metrics.Difference("conv1", PointingSubset::kDifficult)->mean, 0);
  const auto over_layers = metrics.Differences(PointingSubset::kAll);
  EXPECT_EQ(over_layers->mean, 0.25);
  EXPECT_EQ(over_layers->standard_deviation, 0.25);
  const std::string text = IdentityTables(metrics, "title");
  EXPECT_THAT(text, HasSubstr("| conv2 | 25.0 +- 25.0 | 25.0 +- 25.0 | 0.0"));
  EXPECT_THAT(text, HasSubstr("over the layers: 25.00 +- 25.00 points"));
}

}  // namespace
}  // namespace saliency::identity_check_test
