#include "core/engine/finish/finish.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/engine/finish/finished_map.h"
#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::finish_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// One image of 4 x 6 behind an 8 x 8 input, one target, these maps.
struct Prepared {
  explicit Prepared(std::vector<absl::StatusOr<at::Tensor>> maps) {
    job.item.input = at::zeros({1, 3, 8, 8});
    job.item.targets = {RankFromTop{}};
    job.images = {
        {.height = 4, .width = 6, .region = {.height = 4, .width = 6}}};
    for (std::size_t i = 0; i < maps.size(); ++i) {
      job.item.variants.front().attributions.push_back(
          {.attribution = *Attribution::Named("linear_approximation"),
           .layer = "conv"});
      job.results.push_back({.method = "linear_approximation",
                             .layer = "conv",
                             .is_signed = true,
                             .layer_pixels = 4,
                             .pass_index = static_cast<int>(i)});
    }
    answer = {.logits = at::arange(10, at::kFloat).view({1, 10}),
              .class_index = {9},
              .variants = {{.score = {9}, .maps = std::move(maps)}}};
  }
  PreparedJob job;
  PassAnswer answer;
};

at::Tensor Map(std::vector<float> values, int64_t height, int64_t width) {
  return at::tensor(values, at::kFloat).view({height, width});
}

Explanation Finish(const Prepared& prepared, const OutputOptions& output) {
  return FinishJob(prepared.job, prepared.answer, FakeModel(),
                   {.output = output, .top_k = 3})
      .value();
}

TEST(FinishTest, ARawMapAtLayerSizeIsUnchanged) {
  const Prepared prepared({Map({-1, 2, 5, 3}, 2, 2)});
  const Explanation answer =
      Finish(prepared, {.size = OutputSize::kLayer, .normalise = false});
  const MapResult& result = answer.results[0];
  EXPECT_TRUE(result.status.ok());
  EXPECT_THAT(Floats(result.data), ElementsAre(-1, 2, 5, 3));
  EXPECT_EQ(result.raw_min, -1);
  EXPECT_EQ(result.raw_max, 5);
  EXPECT_EQ(result.point_y, 1);
  EXPECT_EQ(result.point_x, 0);
  EXPECT_EQ(result.method, "linear_approximation");
  EXPECT_EQ(result.layer, "conv");
  EXPECT_EQ(result.explained.index, 9);
  EXPECT_EQ(result.explained.label, "class9");
  EXPECT_EQ(answer.model, "fake");
  EXPECT_EQ(answer.version, 1);
}

TEST(FinishTest, SizesAreThoseAskedFor) {
  const Prepared prepared({Map({0, 1, 2, 3}, 2, 2)});
  const auto size = [&](const OutputOptions& output) {
    const MapResult result = Finish(prepared, output).results[0];
    EXPECT_EQ(result.data.size(), result.height * result.width * 4);
    return std::make_pair(result.height, result.width);
  };
  EXPECT_EQ(size({.size = OutputSize::kImage}), std::make_pair(4L, 6L));
  EXPECT_EQ(size({.size = OutputSize::kLayer}), std::make_pair(2L, 2L));
  EXPECT_EQ(size({.size = OutputSize::kModelInput}), std::make_pair(8L, 8L));
  EXPECT_EQ(size({.size = OutputSize::kExplicit, .height = 3, .width = 5}),
            std::make_pair(3L, 5L));
}

TEST(FinishTest, NormalisedMapsSpanZeroToOneAndKeepTheirRawEnds) {
  const Prepared prepared({Map({2e-9F, 4e-9F, 6e-9F, 3e-9F}, 2, 2)});
  const MapResult result =
      Finish(prepared, {.size = OutputSize::kLayer}).results[0];
  EXPECT_THAT(Floats(result.data), ElementsAre(0, testing::FloatEq(0.5F), 1,
                                               testing::FloatEq(0.25F)));
  EXPECT_EQ(result.raw_min, 2e-9F);
  EXPECT_EQ(result.raw_max, 6e-9F);
  EXPECT_FALSE(result.constant);
}

TEST(FinishTest, AConstantMapIsZerosAndSaysSo) {
  const Prepared prepared({Map({5, 5, 5, 5}, 2, 2)});
  const MapResult result =
      Finish(prepared, {.size = OutputSize::kLayer}).results[0];
  EXPECT_THAT(Floats(result.data), ElementsAre(0, 0, 0, 0));
  EXPECT_TRUE(result.constant);
  EXPECT_EQ(result.raw_max, 5);
}

TEST(FinishTest, OutsideTheCropARawMapHoldsItsMinimumAndTakesNoPart) {
  Prepared prepared({Map({3, 4, 5, 9}, 2, 2)});
  prepared.job.images[0].region = {.y = 1, .x = 2, .height = 2, .width = 2};
  const MapResult result =
      Finish(prepared, {.size = OutputSize::kImage, .normalise = false})
          .results[0];
  EXPECT_THAT(Floats(result.data), ElementsAre(3, 3, 3, 3, 3, 3,  //
                                               3, 3, 3, 4, 3, 3,  //
                                               3, 3, 5, 9, 3, 3,  //
                                               3, 3, 3, 3, 3, 3));
  EXPECT_EQ(result.raw_min, 3);
  EXPECT_EQ(result.point_y, 2);
  EXPECT_EQ(result.point_x, 3);
  EXPECT_EQ(result.region,
            (PixelRect{.y = 1, .x = 2, .height = 2, .width = 2}));
}

TEST(FinishTest, OutsideTheCropANormalisedMapIsZero) {
  Prepared prepared({Map({3, 4, 5, 7}, 2, 2)});
  prepared.job.images[0].region = {.y = 2, .x = 0, .height = 2, .width = 2};
  const MapResult result =
      Finish(prepared, {.size = OutputSize::kImage}).results[0];
  EXPECT_THAT(Floats(result.data), ElementsAre(0, 0, 0, 0, 0, 0,    //
                                               0, 0, 0, 0, 0, 0,    //
                                               0, .25, 0, 0, 0, 0,  //
                                               .5, 1, 0, 0, 0, 0));
}

TEST(FinishTest, APointBelowZeroIsTheCropsNotTheMargins) {
  Prepared prepared({Map({-3, -2, -5, -4}, 2, 2)});
  prepared.job.images[0].region = {.y = 1, .x = 1, .height = 2, .width = 2};
  const MapResult result =
      Finish(prepared, {.size = OutputSize::kImage, .normalise = false})
          .results[0];
  EXPECT_EQ(result.point_y, 1);
  EXPECT_EQ(result.point_x, 2);
  EXPECT_EQ(result.raw_max, -2);
}

TEST(FinishTest, ANonFiniteMapFailsAloneNamingMethodAndLayer) {
  const Prepared prepared(
      {Map({0, 1, 2, 3}, 2, 2), Map({0, kInfinity, 2, 3}, 2, 2)});
  const Explanation answer = Finish(prepared, {.size = OutputSize::kLayer});
  EXPECT_TRUE(answer.results[0].status.ok());
  EXPECT_EQ(answer.results[1].status,
            absl::FailedPreconditionError(
                "the map of method \"linear_approximation\" at layer \"conv\" "
                "has values that are not finite"));
  EXPECT_EQ(answer.results[1].height, 0);
  EXPECT_TRUE(answer.results[1].data.empty());
}

TEST(FinishTest, WhenEveryResultFailedTheCallDoesWithTheFirstsStatus) {
  const Prepared prepared(
      {absl::FailedPreconditionError("first"), absl::InternalError("second")});
  EXPECT_EQ(FinishJob(prepared.job, prepared.answer, FakeModel(), {}).status(),
            absl::FailedPreconditionError("first"));
}

TEST(FinishTest, AnAnswerOfAnotherShapeIsOurBug) {
  Prepared prepared({Map({0, 1, 2, 3}, 2, 2)});
  prepared.answer.variants.front().maps.clear();
  EXPECT_EQ(
      FinishJob(prepared.job, prepared.answer, FakeModel(), {}).status().code(),
      absl::StatusCode::kInternal);
}

TEST(FinishTest, NoEncodingStillPoints) {
  const Prepared prepared({Map({0, 1, 7, 3}, 2, 2)});
  const MapResult result = Finish(prepared, {.size = OutputSize::kLayer,
                                             .encoding = MapEncoding::kNone})
                               .results[0];
  EXPECT_TRUE(result.data.empty());
  EXPECT_EQ(result.point_y, 1);
  EXPECT_EQ(result.raw_max, 7);
}

std::string ColourPng(const std::vector<float>& values, bool is_signed) {
  return EncodeColourPng(
             {.height = 2, .width = 2, .values = values},
             {.scale = {.low = is_signed ? -1.0 : 0.0, .is_signed = is_signed}})
      .value();
}

TEST(FinishTest, SignedColoursAreCentredOnZeroHoweverTheMapIsHandedOut) {
  const Prepared prepared({Map({-2, 0, 4, 2}, 2, 2)});
  for (const bool normalise : {false, true}) {
    const MapResult result =
        Finish(prepared, {.size = OutputSize::kLayer,
                          .normalise = normalise,
                          .encoding = MapEncoding::kColourPng})
            .results[0];
    EXPECT_EQ(result.data, ColourPng({-0.5F, 0, 1, 0.5F}, true));
    EXPECT_TRUE(result.is_signed);
  }
}

TEST(FinishTest, UnsignedColoursBeginAtTheMapsOwnZero) {
  Prepared prepared({Map({1, 2, 3, 5}, 2, 2)});
  prepared.job.results[0].is_signed = false;
  OutputOptions output = {.size = OutputSize::kLayer,
                          .encoding = MapEncoding::kColourPng};
  const MapResult normalised = Finish(prepared, output).results[0];
  EXPECT_EQ(normalised.data, ColourPng({0, 0.25F, 0.5F, 1}, false));
  EXPECT_FALSE(normalised.is_signed);
  output.normalise = false;
  EXPECT_EQ(Finish(prepared, output).results[0].data,
            ColourPng({0.2F, 0.4F, 0.6F, 1}, false));
}

// The method says that its maps are not signed, the values say that they are.
TEST(FinishTest, ValuesBelowZeroMakeAMapSigned) {
  Prepared prepared({Map({-1, 0, 1, 1}, 2, 2)});
  prepared.job.results[0].is_signed = false;
  EXPECT_TRUE(
      Finish(prepared, {.size = OutputSize::kLayer}).results[0].is_signed);
}

TEST(FinishTest, AnOverlayHasTheImagesSizeAndItsTitle) {
  Prepared prepared({Map({0, 1, 2, 3}, 2, 2)});
  prepared.job.images = {
      {.height = 64, .width = 96, .region = {.height = 64, .width = 96}}};
  prepared.job.image = Image{
      .height = 64, .width = 96, .rgb = std::vector<uint8_t>(64 * 96 * 3, 80)};
  OutputOptions output = {.encoding = MapEncoding::kOverlayPng,
                          .overlay_colour_bar = false};
  const std::string titled = Finish(prepared, output).results[0].data;
  output.overlay_title = false;
  const std::string plain = Finish(prepared, output).results[0].data;
  EXPECT_EQ(ReadImageHeader(plain)->height, 64);
  EXPECT_EQ(ReadImageHeader(plain)->width, 96);
  EXPECT_GT(ReadImageHeader(titled)->height, 64);
  output.overlay_colour_bar = true;
  const std::string barred = Finish(prepared, output).results[0].data;
  EXPECT_GT(ReadImageHeader(barred)->height, 64);
  output.encoding = MapEncoding::kOverlayJpeg;
  EXPECT_EQ(ReadImageHeader(Finish(prepared, output).results[0].data)->format,
            ImageFormat::kJpeg);
  output.encoding = MapEncoding::kOverlayWebp;
  EXPECT_EQ(ReadImageHeader(Finish(prepared, output).results[0].data)->format,
            ImageFormat::kWebp);
}

// Where the maximum lies on the image, whatever the size of the map.
TEST(FinishTest, ThePointIsToldOnTheImageToo) {
  Prepared prepared({Map({0, 1, 2, 9}, 2, 2)});
  prepared.job.images = {
      {.height = 400, .width = 600, .region = {.height = 400, .width = 600}}};
  const auto point = [&](const OutputOptions& output) {
    const MapResult result = Finish(prepared, output).results[0];
    return std::make_pair(result.image_y, result.image_x);
  };
  EXPECT_EQ(point({.size = OutputSize::kLayer}), std::make_pair(300L, 450L));
  EXPECT_EQ(point({.size = OutputSize::kExplicit, .height = 4, .width = 3}),
            std::make_pair(350L, 500L));
  const MapResult exact =
      Finish(prepared, {.size = OutputSize::kImage}).results[0];
  EXPECT_EQ(exact.image_y, exact.point_y);
  EXPECT_EQ(exact.image_x, exact.point_x);
}

// Within a pixel of the smaller map.
TEST(FinishTest, ThePointOfAMapThatWasScaledDownIsTheImages) {
  Prepared prepared({Map({0, 1, 2, 3, 9, 1, 0, 2, 1}, 3, 3)});
  prepared.job.images = {
      {.height = 400, .width = 600, .region = {.height = 400, .width = 600}}};
  const MapResult within =
      Finish(prepared, {.size = OutputSize::kImage, .max_side = 60}).results[0];
  EXPECT_EQ(within.width, 60);
  EXPECT_EQ(within.height, 40);
  EXPECT_NEAR(within.image_y, 200, 10);
  EXPECT_NEAR(within.image_x, 300, 10);
}

TEST(FinishTest, ThePointOfACentreCropIsTheImages) {
  Prepared prepared({Map({0, 1, 2, 3, 9, 1, 0, 2, 1}, 3, 3)});
  prepared.job.images = {
      {.height = 100,
       .width = 200,
       .region = {.y = 10, .x = 60, .height = 80, .width = 80}}};
  const MapResult layer =
      Finish(prepared, {.size = OutputSize::kLayer}).results[0];
  EXPECT_EQ(layer.image_y, 10 + 40);
  EXPECT_EQ(layer.image_x, 60 + 40);
  const MapResult within =
      Finish(prepared, {.size = OutputSize::kImage, .max_side = 100})
          .results[0];
  EXPECT_EQ(within.region,
            (PixelRect{.y = 5, .x = 30, .height = 40, .width = 40}));
  EXPECT_EQ(within.height, 50);
  EXPECT_NEAR(within.image_y, 10 + 40, 2);
  EXPECT_NEAR(within.image_x, 60 + 40, 2);
}

TEST(FinishTest, MapsToBeLookedAtStayWithinASideUnlessToldOtherwise) {
  Prepared prepared({Map({0, 1, 2, 9}, 2, 2)});
  prepared.job.images = {
      {.height = 10, .width = 4000, .region = {.height = 10, .width = 4000}}};
  const auto size = [&](const OutputOptions& output) {
    const MapResult result = Finish(prepared, output).results[0];
    return std::make_pair(result.height, result.width);
  };
  EXPECT_EQ(size({.encoding = MapEncoding::kColourPng}),
            std::make_pair(4L, 1600L));
  EXPECT_EQ(size({.encoding = MapEncoding::kColourPng, .max_side = 0}),
            std::make_pair(10L, 4000L));
  EXPECT_EQ(size({.encoding = MapEncoding::kNone}), std::make_pair(10L, 4000L))
      << "points of an evaluation are exact";
  EXPECT_EQ(size({.encoding = MapEncoding::kFloat32}),
            std::make_pair(10L, 4000L));
}

TEST(FinishTest, PooledFeaturesFollowOneAnother) {
  Prepared prepared({});
  prepared.job.item.pooled_layers = {"conv", "last"};
  prepared.answer.pooled = {at::tensor({1.0F, 2.0F}), at::tensor({3.0F})};
  EXPECT_THAT(Finish(prepared, {}).images[0].pooled, ElementsAre(1, 2, 3));
}

TEST(FinishTest, PooledFeaturesThatAreNotFiniteFailNamingTheLayer) {
  Prepared prepared({});
  prepared.job.item.pooled_layers = {"conv", "last"};
  prepared.answer.pooled = {at::tensor({1.0F, 2.0F}), at::tensor({kInfinity})};
  EXPECT_EQ(FinishJob(prepared.job, prepared.answer, FakeModel(), {}).status(),
            absl::FailedPreconditionError(
                "the features of layer \"last\" are not finite"));
}

// So that a deadline is looked at, and others have their turn, between any two.
TEST(FinishTest, APieceOfARenderingIsOneMapAtMost) {
  const Prepared prepared({Map({0, 1, 2, 3}, 2, 2), Map({0, 1, 2, 3}, 2, 2),
                           Map({0, 1, 2, 3}, 2, 2)});
  JobRendering rendering(prepared.job, prepared.answer,
                         std::make_shared<ModelMetadata>(FakeModel()), {});
  int steps = 0;
  for (; !rendering.done(); ++steps) ASSERT_TRUE(rendering.Step().ok());
  EXPECT_GE(steps, 3);
  EXPECT_EQ(rendering.Take()->results.size(), 3);
}

}  // namespace
}  // namespace saliency::finish_test
