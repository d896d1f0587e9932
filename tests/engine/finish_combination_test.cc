#include "core/engine/finish/finish_combination.h"

#include <ATen/ATen.h>

#include <cstring>
#include <limits>

#include "core/engine/finish/finish.h"
#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::finish_combination_test {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

at::Tensor Map(std::vector<float> values) {
  return at::tensor(values, at::kFloat).view({2, 2});
}

// One image of 2 x 2, one target, layers "a", "b", ... with these maps.
struct Prepared {
  explicit Prepared(std::vector<absl::StatusOr<at::Tensor>> maps) {
    job.item.input = at::zeros({1, 3, 8, 8});
    job.item.targets = {RankFromTop{}};
    job.images = {
        {.height = 2, .width = 2, .region = {.height = 2, .width = 2}}};
    for (std::size_t i = 0; i < maps.size(); ++i) {
      const std::string layer(1, static_cast<char>('a' + i));
      job.item.variants.front().attributions.push_back(
          {.attribution = *Attribution::Named("norm_grad"), .layer = layer});
      job.layer_results.push_back({.method = "norm_grad",
                                   .layer = layer,
                                   .layer_pixels = 4,
                                   .pass_index = static_cast<int>(i)});
    }
    answer = {.logits = at::arange(10, at::kFloat).view({1, 10}),
              .class_index = {9},
              .variants = {{.score = {9}, .maps = std::move(maps)}}};
  }

  // All layers with these weights.
  void Add(CombineRule rule, const std::vector<double>& gamma) {
    PlannedCombination plan = {
        .combination = static_cast<int>(job.combinations.size()),
        .method = "norm_grad",
        .weighting = Weighting::kExplicit,
        .rule = rule,
        .weights =
            CombinationWeights::Create(Weighting::kExplicit,
                                       static_cast<int>(gamma.size()), gamma)
                .value()};
    for (std::size_t i = 0; i < gamma.size(); ++i) {
      plan.layers.push_back(static_cast<int>(i));
    }
    job.combinations.push_back(std::move(plan));
  }

  absl::StatusOr<Explanation> Finish(const OutputOptions& output = {}) const {
    return FinishJob(job, answer, FakeModel(), {.output = output, .top_k = 3});
  }
  CombinedResult First(const OutputOptions& output = {}) const {
    return Finish(output).value().combined.front();
  }

  PreparedJob job;
  PassAnswer answer;
};

TEST(FinishCombinationTest, SumsAndMultipliesStretchedMaps) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 3});
  prepared.Add(CombineRule::kProduct, {1, 1});
  const Explanation answer = prepared.Finish().value();
  ASSERT_EQ(answer.combined.size(), 2);
  const CombinedResult& sum = answer.combined[0];
  EXPECT_THAT(Floats(sum.map.data),
              ElementsAre(FloatEq(0.75F), FloatEq(0.4375F), FloatEq(0.5F),
                          FloatEq(0.25F)));
  EXPECT_EQ(sum.map.method, "norm_grad");
  EXPECT_EQ(sum.map.layer, "");
  EXPECT_EQ(sum.map.explained.label, "class9");
  EXPECT_EQ(sum.map.score, 9);
  EXPECT_FLOAT_EQ(sum.map.raw_min, 0.25F);
  EXPECT_FLOAT_EQ(sum.map.raw_max, 0.75F) << "not normalised again";
  EXPECT_EQ(sum.map.point_y, 0);
  EXPECT_EQ(sum.map.point_x, 0);
  EXPECT_EQ(sum.rule, CombineRule::kSum);
  EXPECT_EQ(sum.weighting, Weighting::kExplicit);
  ASSERT_EQ(sum.shares.size(), 2);
  EXPECT_EQ(sum.shares[1].layer, "b");
  EXPECT_EQ(sum.shares[1].weight, 0.75);
  const CombinedResult& product = answer.combined[1];
  EXPECT_THAT(Floats(product.map.data),
              ElementsAre(0, FloatEq(std::sqrt(0.125F)), FloatEq(0.5F), 0));
  EXPECT_EQ(product.map.attribution, 1);
  EXPECT_TRUE(answer.results.empty());
  EXPECT_TRUE(answer.layer_maps.empty());
  EXPECT_EQ(answer.images[0].top.size(), 3);
}

TEST(FinishCombinationTest, ACombinationIsNormalisedWhateverIsAsked) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 3});
  EXPECT_EQ(prepared.First({.normalise = false}).map.data,
            prepared.First().map.data);
}

TEST(FinishCombinationTest, LayerMapsAreThoseThatComputeSaliencyWouldGive) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 3});
  prepared.job.layer_maps = true;
  prepared.job.results = prepared.job.layer_results;
  for (const bool normalise : {true, false}) {
    const Explanation answer =
        prepared.Finish({.normalise = normalise}).value();
    ASSERT_EQ(answer.layer_maps.size(), 2);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(answer.layer_maps[i].data, answer.results[i].data);
      EXPECT_EQ(answer.layer_maps[i].layer, answer.results[i].layer);
      EXPECT_EQ(answer.layer_maps[i].raw_max, answer.results[i].raw_max);
    }
  }
}

TEST(FinishCombinationTest, AConstantLayerIsLeftOutAndSaysSo) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({3, 3, 3, 3}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 4, 3});
  const CombinedResult result = prepared.First();
  EXPECT_TRUE(result.shares[1].constant);
  EXPECT_FALSE(result.shares[0].constant);
  EXPECT_THAT(result.shares[0].weight, DoubleEq(0.25));
  EXPECT_EQ(result.shares[1].weight, 0);
  EXPECT_THAT(result.shares[2].weight, DoubleEq(0.75));
  EXPECT_FLOAT_EQ(Floats(result.map.data)[0], 0.75F);
  EXPECT_FALSE(result.map.constant);
}

TEST(FinishCombinationTest, ConstantLayersAloneGiveZerosAndSaySo) {
  Prepared prepared({Map({3, 3, 3, 3}), Map({0, 0, 0, 0})});
  prepared.Add(CombineRule::kProduct, {1, 1});
  const CombinedResult result = prepared.First();
  EXPECT_TRUE(result.map.status.ok());
  EXPECT_TRUE(result.map.constant);
  EXPECT_THAT(Floats(result.map.data), ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(result.shares[0].weight, 0);
  EXPECT_TRUE(result.shares[1].constant);
}

TEST(FinishCombinationTest, ALayerThatIsNotFiniteFailsItsCombinationAlone) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({1, kNaN, 1, 2})});
  prepared.Add(CombineRule::kSum, {1, 1});
  prepared.Add(CombineRule::kSum, {1, 0});
  const Explanation answer = prepared.Finish().value();
  EXPECT_EQ(answer.combined[0].map.status,
            absl::FailedPreconditionError(
                "the map of method \"norm_grad\" at layer \"b\" has values "
                "that are not finite"));
  EXPECT_TRUE(answer.combined[0].shares.empty());
  EXPECT_TRUE(answer.combined[0].map.data.empty());
  EXPECT_TRUE(answer.combined[1].map.status.ok())
      << "a layer of weight 0 takes no part";
  EXPECT_THAT(Floats(answer.combined[1].map.data),
              ElementsAre(0, 0.25F, 0.5F, 1));
}

TEST(FinishCombinationTest, ALayerWithoutAMapFailsItsCombinationAlone) {
  Prepared prepared({Map({0, 1, 2, 4}), absl::InternalError("no map")});
  prepared.Add(CombineRule::kSum, {1, 1});
  prepared.Add(CombineRule::kSum, {1, 0});
  const Explanation answer = prepared.Finish().value();
  EXPECT_EQ(answer.combined[0].map.status, absl::InternalError("no map"));
  EXPECT_TRUE(answer.combined[1].map.status.ok());
}

TEST(FinishCombinationTest, WhenEveryCombinationFailedTheCallDoes) {
  Prepared prepared({Map({0, kNaN, 2, 4})});
  prepared.Add(CombineRule::kSum, {1});
  EXPECT_EQ(prepared.Finish().status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(FinishCombinationTest, NoEncodingStillPoints) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 1});
  const MapResult map = prepared.First({.encoding = MapEncoding::kNone}).map;
  EXPECT_TRUE(map.data.empty());
  EXPECT_FLOAT_EQ(map.raw_max, 0.5F);
  EXPECT_EQ(map.height, 2);
}

TEST(FinishCombinationTest, ColoursShowTheMapAsItIsAndOverlaysStretchIt) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 3});
  const std::vector<float> map = Floats(prepared.First().map.data);
  const auto view = [](const std::vector<float>& values) {
    return MapView{.height = 2, .width = 2, .values = values};
  };
  EXPECT_EQ(prepared.First({.encoding = MapEncoding::kColourPng}).map.data,
            EncodeColourPng(view(map), {}).value());
  EXPECT_EQ(prepared.First({.encoding = MapEncoding::kPng16}).map.data,
            EncodePng16(view(map)).value());
  const Image image = {
      .height = 2, .width = 2, .rgb = std::vector<uint8_t>(12, 80)};
  prepared.job.image = image;
  std::vector<float> normalised;
  for (const float value : map) normalised.push_back((value - 0.25F) / 0.5F);
  const CombinedResult overlay =
      prepared.First({.encoding = MapEncoding::kOverlayPng,
                      .overlay_title = false,
                      .overlay_colour_bar = false});
  EXPECT_EQ(overlay.map.data,
            EncodePng(Overlay(image, view(normalised), {}).value()).value());
  EXPECT_FLOAT_EQ(overlay.map.raw_max, 0.75F) << "of the map, not the image";
}

TEST(FinishCombinationTest, OutsideTheCropIsTheMinimumAndTakesNoPart) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 3});
  prepared.job.images = {
      {.height = 2, .width = 4, .region = {.x = 1, .height = 2, .width = 2}}};
  const MapResult map = prepared.First().map;
  EXPECT_THAT(Floats(map.data), ElementsAre(0.25F, 0.75F, 0.4375F, 0.25F,  //
                                            0.25F, 0.5F, 0.25F, 0.25F));
  EXPECT_EQ(map.point_x, 1);
  EXPECT_EQ(map.region, (PixelRect{.x = 1, .height = 2, .width = 2}));
}

TEST(FinishCombinationTest, EachRowHasItsOwnMaps) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 0});
  prepared.job.item.targets = {RankFromTop{}, ClassIndex{3}};
  prepared.answer.class_index = {9, 3};
  VariantAnswer& made = prepared.answer.variants.front();
  made.score = {9, 3};
  made.maps.push_back(Map({4, 2, 1, 0}));
  made.maps.push_back(Map({1, 1, 1, 2}));
  const Explanation answer = prepared.Finish().value();
  ASSERT_EQ(answer.combined.size(), 2);
  EXPECT_THAT(Floats(answer.combined[0].map.data),
              ElementsAre(0, 0.25F, 0.5F, 1));
  EXPECT_THAT(Floats(answer.combined[1].map.data),
              ElementsAre(1, 0.5F, 0.25F, 0));
  EXPECT_EQ(answer.combined[1].map.target, 1);
  EXPECT_EQ(answer.combined[1].map.explained.index, 3);
}

TEST(FinishCombinationTest, SmoothingComesBeforeStretching) {
  Prepared prepared({Map({0, 1, 2, 4}), Map({7, 6, 6, 5})});
  prepared.Add(CombineRule::kSum, {1, 0});
  prepared.job.results = {prepared.job.layer_results[0]};
  const OutputOptions output = {.size = OutputSize::kExplicit,
                                .height = 9,
                                .width = 9,
                                .smooth_sigma = 0.1};
  const Explanation answer = prepared.Finish(output).value();
  EXPECT_EQ(answer.combined[0].map.data, answer.results[0].data);
}

}  // namespace
}  // namespace saliency::finish_combination_test
