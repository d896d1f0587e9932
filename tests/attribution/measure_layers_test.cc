#include "core/attribution/measure_layers.h"

#include <torch/script.h>

#include <random>
#include <set>

#include "core/attribution/feature_spread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::measure_layers_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Two layers: one of 3 channels that says nothing of the class, one of 2 that
// does.
std::vector<float> FeaturesOf(std::mt19937_64& random, double says) {
  std::normal_distribution<float> normal;
  std::vector<float> features;
  for (int i = 0; i < 3; ++i) features.push_back(normal(random));
  features.push_back(static_cast<float>(4 * says) + 0.3F * normal(random));
  features.push_back(normal(random) + 1);
  return features;
}

ClassSample TwoClasses(int of_each, uint64_t seed = 1) {
  ClassSample sample({.per_class = 1000});
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < 2 * of_each; ++i) {
    const int64_t shows = i % 2;
    EXPECT_TRUE(sample
                    .Add(i, {.present = {shows}},
                         FeaturesOf(random, static_cast<double>(shows)))
                    .ok());
  }
  return sample;
}

const std::vector<int64_t> kChannels = {3, 2};

TEST(MeasureLayersTest, TheLayerThatKnowsTheClassIsTheMoreAccurateOne) {
  std::vector<LeftOutClass> left_out;
  std::vector<int64_t> done;
  const LayerMeasurement measured =
      MeasureLayers(TwoClasses(200), kChannels,
                    {.on_layer = [&](int64_t d) { done.push_back(d); }},
                    left_out)
          .value();
  ASSERT_EQ(measured.layers.size(), 2);
  // 120 held out: a coin's standard deviation is 0.046.
  EXPECT_NEAR(measured.layers[0].classification_accuracy, 0.5, 0.18);
  EXPECT_GT(measured.layers[1].classification_accuracy, 0.98);
  EXPECT_EQ(measured.training_images, 280);
  EXPECT_EQ(measured.held_out_images, 120);
  EXPECT_THAT(measured.classes, ElementsAre(0, 1));
  EXPECT_THAT(left_out, IsEmpty());
  EXPECT_THAT(done, ElementsAre(1, 2));
}

TEST(MeasureLayersTest, SpreadIsThatOfAllImagesByTheirChances) {
  ClassSample sample({.per_class = 1000});
  std::mt19937_64 random(3);
  // Class 1 has three times the images of class 0, which stand for the same
  // chance: as if each of class 0 were there three times.
  FeatureSpread repeated;
  for (int64_t i = 0; i < 40; ++i) {
    const int64_t shows = i < 10 ? 0 : 1;
    const std::vector<float> features =
        FeaturesOf(random, static_cast<double>(shows));
    ASSERT_TRUE(sample.Add(i, {.present = {shows}}, features).ok());
    const at::Tensor last =
        at::tensor(std::vector<float>(features.begin() + 3, features.end()));
    for (int r = 0; r < (shows == 0 ? 3 : 1); ++r) {
      ASSERT_TRUE(repeated.Add(last.view({1, 2, 1, 1})).ok());
    }
  }
  std::vector<LeftOutClass> left_out;
  const LayerMeasurement measured =
      MeasureLayers(sample, kChannels, {}, left_out).value();
  EXPECT_NEAR(measured.layers[1].feature_spread, repeated.Gamma().value(),
              1e-6);
}

TEST(MeasureLayersTest, TheSeedDecidesTheSplitAndNothingElseDoes) {
  const auto accuracy = [](uint64_t seed) {
    std::vector<LeftOutClass> left_out;
    return MeasureLayers(TwoClasses(60), kChannels, {.seed = seed}, left_out)
        ->layers[0]
        .classification_accuracy;
  };
  EXPECT_EQ(accuracy(1), accuracy(1));
  std::set<double> values;
  for (uint64_t seed = 0; seed < 6; ++seed) values.insert(accuracy(seed));
  EXPECT_GT(values.size(), 1);
}

TEST(MeasureLayersTest, ClassesWithOneImageAreLeftOut) {
  ClassSample sample = TwoClasses(10);
  std::mt19937_64 random(1);
  ASSERT_TRUE(sample.Add(99, {.present = {7}}, FeaturesOf(random, 0)).ok());
  std::vector<LeftOutClass> left_out;
  const LayerMeasurement measured =
      MeasureLayers(sample, kChannels, {}, left_out).value();
  EXPECT_THAT(measured.classes, ElementsAre(0, 1));
  ASSERT_EQ(left_out.size(), 1);
  EXPECT_EQ(left_out[0].index, 7);
  EXPECT_EQ(left_out[0].reason, "has 1 image, of at least 2");
  EXPECT_EQ(measured.training_images + measured.held_out_images, 20);
}

TEST(MeasureLayersTest, TooFewImagesAreRefused) {
  ClassSample sample({.per_class = 10});
  std::vector<LeftOutClass> left_out;
  const auto measure = [&] {
    return MeasureLayers(sample, kChannels, {}, left_out).status();
  };
  EXPECT_EQ(measure(),
            absl::InvalidArgumentError(
                "images: 0 of 0 classes can be used, of at least 4 of 2 "
                "classes that have 2 each"));
  std::mt19937_64 random(1);
  for (int64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(sample
                    .Add(i, {.present = {i < 4 ? int64_t{0} : int64_t{1}}},
                         FeaturesOf(random, 0))
                    .ok());
  }
  EXPECT_THAT(std::string(measure().message()),
              HasSubstr("4 of 1 class can be used"));
}

TEST(MeasureLayersTest, AClassThatEveryImageShowsCannotBeToldApart) {
  ClassSample sample({.per_class = 100});
  std::mt19937_64 random(1);
  for (int64_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(sample
                    .Add(i, {.present = {i % 2, 5}},
                         FeaturesOf(random, static_cast<double>(i % 2)))
                    .ok());
  }
  std::vector<LeftOutClass> left_out;
  const LayerMeasurement measured =
      MeasureLayers(sample, kChannels, {.classifier = {.multi_label = true}},
                    left_out)
          .value();
  EXPECT_THAT(measured.classes, ElementsAre(0, 1));
  ASSERT_EQ(left_out.size(), 1);
  EXPECT_EQ(left_out[0].index, 5);
  EXPECT_THAT(left_out[0].reason, HasSubstr("no image without it"));
  EXPECT_GT(measured.layers[1].classification_accuracy, 0.95);
}

TEST(MeasureLayersTest, CancellingIsTold) {
  std::vector<LeftOutClass> left_out;
  EXPECT_EQ(MeasureLayers(TwoClasses(20), kChannels,
                          {.classifier = {.cancelled = [] { return true; }}},
                          left_out)
                .status()
                .code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace saliency::measure_layers_test
