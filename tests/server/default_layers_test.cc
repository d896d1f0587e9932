#include "core/serving/default_layers.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::default_layers_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<LayerInfo> ResNetLike() {
  return {{.name = "input", .kind = "input", .shape = {3, 64, 64}},
          {.name = "conv1", .kind = "Conv2d", .shape = {8, 32, 32}},
          {.name = "layer1", .kind = "Sequential", .shape = {8, 16, 16}},
          {.name = "layer2.0", .kind = "Block", .shape = {16, 8, 8}},
          {.name = "layer2", .kind = "Sequential", .shape = {16, 8, 8}},
          {.name = "avgpool", .kind = "AdaptiveAvgPool2d", .shape = {16, 1, 1}},
          {.name = "fc", .kind = "Linear", .shape = {10}}};
}

TEST(DefaultLayersTest, TheLastSpatialLayerIsBeforeThePool) {
  EXPECT_THAT(LastSpatialLayer(ResNetLike()), ElementsAre("layer2"));
  std::vector<LayerInfo> vgg = ResNetLike();
  vgg[5].shape = {16, 8, 8};
  EXPECT_THAT(LastSpatialLayer(vgg), ElementsAre("layer2"));
}

TEST(DefaultLayersTest, StagesEndWhereTheResolutionChanges) {
  EXPECT_THAT(StageEnds(ResNetLike()),
              ElementsAre("conv1", "layer1", "layer2"));
}

// As in a residual network: a block's first layers still have the size of the
// stage before.
TEST(DefaultLayersTest, AStageEndsOnTheTrunkAndNotInABranch) {
  std::vector<LayerInfo> layers = ResNetLike();
  layers[2].is_cut = true;
  layers.insert(
      layers.begin() + 3,
      {.name = "layer2.0.conv1", .kind = "Conv2d", .shape = {16, 16, 16}});
  EXPECT_THAT(StageEnds(layers), ElementsAre("conv1", "layer1", "layer2"));
}

// A block that shrinks to 1 x 1, as InceptionV3's last ones on small images:
// what is left of it with positions is a branch.
TEST(DefaultLayersTest, TheDefaultIsOnTheTrunk) {
  std::vector<LayerInfo> layers = ResNetLike();
  layers[2].is_cut = layers[4].is_cut = true;
  layers.insert(
      layers.begin() + 5,
      {.name = "layer3.branch", .kind = "Conv2d", .shape = {16, 8, 8}});
  EXPECT_THAT(LastSpatialLayer(layers), ElementsAre("layer2"));
}

TEST(DefaultLayersTest, LayersWithoutMapsAreNoDefaults) {
  std::vector<LayerInfo> layers = ResNetLike();
  layers[4].no_maps_because = "it has 4 entries for 1 image";
  EXPECT_THAT(LastSpatialLayer(layers), ElementsAre("layer2.0"));
  EXPECT_THAT(StageEnds(layers), ElementsAre("conv1", "layer1", "layer2.0"));
  ModelConfig config;
  config.default_layers = {"layer2"};
  EXPECT_THAT(std::string(FillDefaultLayers(layers, config).message()),
              HasSubstr("default_layers[0]: there are no maps of layer "
                        "\"layer2\": it has 4 entries for 1 image"));
}

TEST(DefaultLayersTest, AMapOfClassScoresIsNoDefaultWhereThereIsAnother) {
  std::vector<LayerInfo> layers = ResNetLike();
  layers[4].before_weights = false;
  EXPECT_THAT(LastSpatialLayer(layers), ElementsAre("layer2.0"));
  for (LayerInfo& layer : layers) layer.before_weights = false;
  EXPECT_THAT(LastSpatialLayer(layers), ElementsAre("layer2"));
}

TEST(DefaultLayersTest, ADropoutAtTheEndIsNoDefault) {
  std::vector<LayerInfo> layers = ResNetLike();
  layers[4].kind = "Dropout";
  EXPECT_THAT(LastSpatialLayer(layers), ElementsAre("layer2.0"));
}

// Their maps would be missing for some images, or zero.
TEST(DefaultLayersTest, ALayerThatMayHaveNothingToShowIsNoDefault) {
  std::vector<LayerInfo> layers = ResNetLike();
  layers[4].in_every_pass = false;
  layers[2].has_gradient = false;
  EXPECT_THAT(LastSpatialLayer(layers), ElementsAre("layer2.0"));
  EXPECT_THAT(StageEnds(layers), ElementsAre("conv1", "layer2.0"));
  for (LayerInfo& layer : layers) layer.in_every_pass = false;
  ModelConfig config;
  ASSERT_TRUE(FillDefaultLayers(layers, config).ok());
  EXPECT_THAT(config.default_layers, ElementsAre("input"));
  EXPECT_THAT(config.combine_layers, IsEmpty());
  // Whoever names one gets it.
  config.default_layers = {"layer2"};
  EXPECT_TRUE(FillDefaultLayers(layers, config).ok());
}

TEST(DefaultLayersTest, ConfiguredLayersAreKept) {
  ModelConfig config;
  config.default_layers = {"layer1", "input"};
  config.combine_layers = {"layer2.0"};
  ASSERT_TRUE(FillDefaultLayers(ResNetLike(), config).ok());
  EXPECT_THAT(config.default_layers, ElementsAre("layer1", "input"));
  EXPECT_THAT(config.combine_layers, ElementsAre("layer2.0"));
}

TEST(DefaultLayersTest, ConfiguredLayersThatAreNotThereAreNamed) {
  ModelConfig config;
  config.default_layers = {"layer1", "layer9"};
  const absl::Status status = FillDefaultLayers(ResNetLike(), config);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("config.pbtxt: default_layers[1]: layer \"layer9\" "
                        "not found; nearest: "));
}

TEST(DefaultLayersTest, ConfiguredLayersMustBeSpatial) {
  ModelConfig config;
  config.combine_layers = {"fc"};
  const absl::Status status = FillDefaultLayers(ResNetLike(), config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("combine_layers[0]: layer \"fc\" has shape [10]"));
}

TEST(DefaultLayersTest, AModelWithNothingButItsInputIsLookedAtThere) {
  const std::vector<LayerInfo> layers = {
      {.name = "input", .kind = "input", .shape = {3, 64, 64}}};
  ModelConfig config;
  ASSERT_TRUE(FillDefaultLayers(layers, config).ok());
  EXPECT_THAT(config.default_layers, ElementsAre("input"));
  EXPECT_THAT(config.combine_layers, IsEmpty());
}

}  // namespace
}  // namespace saliency::default_layers_test
