#include "server/convert/layer_weights_text.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::layer_weights_text_test {
namespace {

using ::testing::HasSubstr;

constexpr char kText[] = R"(
layers { layer: "conv" feature_spread: 0.25 classification_accuracy: 0.5 }
layers { layer: "last" feature_spread: 0 }
model_sha256: "AB12"
calibrated_at: "2024-05-31T12:00:00Z"
data: "1000 scenes"
images: 1000
classes: 20
)";

TEST(LayerWeightsTextTest, EveryFieldArrives) {
  const LayerWeights weights = ParseLayerWeightsText(kText).value();
  EXPECT_TRUE(weights.calibrated());
  ASSERT_EQ(weights.layers.size(), 2);
  EXPECT_EQ(weights.layers[0].layer, "conv");
  EXPECT_EQ(weights.Gamma(Weighting::kFeatureSpread, "conv"), 0.25);
  EXPECT_EQ(weights.Gamma(Weighting::kClassificationAccuracy, "conv"), 0.5);
  EXPECT_EQ(weights.Gamma(Weighting::kFeatureSpread, "last"), 0.0);
  EXPECT_EQ(weights.Gamma(Weighting::kClassificationAccuracy, "last"),
            std::nullopt)
      << "not measured";
  EXPECT_EQ(weights.Gamma(Weighting::kFeatureSpread, "norm"), std::nullopt);
  EXPECT_EQ(weights.model_sha256, "ab12");
  EXPECT_EQ(weights.calibrated_at, "2024-05-31T12:00:00Z");
  EXPECT_EQ(weights.data, "1000 scenes");
  EXPECT_EQ(weights.images, 1000);
  EXPECT_EQ(weights.classes, 20);
}

TEST(LayerWeightsTextTest, WhatIsWrittenIsReadBack) {
  LayerWeights weights = ParseLayerWeightsText(kText).value();
  weights.layers[0].feature_spread = 0.1 + 0.2;  // all its digits
  weights.data = "a \"quoted\"\nname";
  const LayerWeights back =
      ParseLayerWeightsText(LayerWeightsText(weights)).value();
  EXPECT_EQ(back.layers[0].feature_spread, 0.1 + 0.2);
  EXPECT_EQ(back.layers[1].classification_accuracy, std::nullopt);
  EXPECT_EQ(back.data, weights.data);
  EXPECT_EQ(back.images, 1000);
  EXPECT_EQ(back.model_sha256, "ab12");
}

struct Bad {
  std::string name;
  std::string text;
  std::string message;
};

class BadLayerWeightsTest : public testing::TestWithParam<Bad> {};

TEST_P(BadLayerWeightsTest, IsRefusedByName) {
  const absl::Status status = ParseLayerWeightsText(GetParam().text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadLayerWeightsTest,
    testing::Values(
        Bad{"Empty", "", "layers: 0 not in [1, 512]"},
        Bad{"Nonsense", "nonsense", "line 1, column 9"},
        Bad{"UnknownField", "layers { layer: \"a\" gamma: 1 }", "line 1"},
        Bad{"NoName", "layers { feature_spread: 1 }", "layers[0].layer: empty"},
        Bad{"SameName", "layers { layer: \"a\" } layers { layer: \"a\" }",
            "layers[1].layer: \"a\" is named twice"},
        Bad{"NegativeSpread", "layers { layer: \"a\" feature_spread: -1 }",
            "layers[0].feature_spread: -1 is not a finite number >= 0"},
        Bad{"SpreadNotANumber", "layers { layer: \"a\" feature_spread: nan }",
            "layers[0].feature_spread: nan is not a finite number >= 0"},
        Bad{"InfiniteSpread", "layers { layer: \"a\" feature_spread: inf }",
            "layers[0].feature_spread: inf is not a finite number >= 0"},
        Bad{"AccuracyAboveOne",
            "layers { layer: \"a\" classification_accuracy: 1.5 }",
            "layers[0].classification_accuracy: 1.5 not in [0, 1]"},
        Bad{"AccuracyNotANumber",
            "layers { layer: \"a\" classification_accuracy: nan }",
            "layers[0].classification_accuracy: nan not in [0, 1]"},
        Bad{"NegativeImages", "layers { layer: \"a\" } images: -3",
            "images: -3 is less than 0"},
        Bad{"NegativeClasses", "layers { layer: \"a\" } classes: -3",
            "classes: -3 is less than 0"}),
    [](const auto& test) { return test.param.name; });

TEST(LayerWeightsTextTest, FitsTheModelItWasMeasuredOn) {
  const LayerWeights weights = ParseLayerWeightsText(kText).value();
  const ModelMetadata model = FakeModel();
  EXPECT_TRUE(CheckLayerWeights(weights, model.layers, "ab12").ok());
  EXPECT_THAT(
      std::string(CheckLayerWeights(weights, model.layers, "cd34").message()),
      HasSubstr("measured on a model.pt of ab12, but this one has cd34"));
}

TEST(LayerWeightsTextTest, ALayerThatTheModelLacksIsNamed) {
  LayerWeights weights;
  weights.layers = {{.layer = "conv"}, {.layer = "lst"}};
  EXPECT_EQ(CheckLayerWeights(weights, FakeModel().layers, ""),
            absl::NotFoundError("layers[1]: layer \"lst\" not found; nearest: "
                                "\"last\", \"input\", \"conv\""));
  weights.layers[1].layer = "pool";
  EXPECT_EQ(CheckLayerWeights(weights, FakeModel().layers, "").code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace saliency::layer_weights_text_test
