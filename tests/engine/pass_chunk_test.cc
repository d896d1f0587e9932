#include "core/engine/run/pass_chunk.h"

#include <ATen/ATen.h>

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::pass_chunk_test {
namespace {

using testing::ElementsAre;

PassAttribution At(absl::string_view method, std::string layer) {
  return {.attribution = *Attribution::Named(method),
          .layer = std::move(layer)};
}

PassItem Item(double value, int64_t images,
              std::vector<PassAttribution> attributions) {
  PassItem item;
  item.input = at::full({images, 3, 2, 2}, value);
  item.targets = {ClassIndex{1}, ClassIndex{2}};
  item.variants = {{.attributions = std::move(attributions)}};
  return item;
}

PassChunk Whole(const std::vector<const PassItem*>& items) {
  return MakeChunk(items, FirstRowsOf(items).at(0));
}

TEST(PassChunkTest, RowsAreImagesTimesTargetsItemByItem) {
  const PassItem a = Item(1, 2, {At("norm_grad", "x")});
  const PassItem b = Item(2, 1, {At("norm_grad", "x")});
  const PassChunk chunk = Whole({&a, &b});
  std::vector<int64_t> images;
  for (const ProbeRow& row : chunk.request.rows) {
    images.push_back(row.image);
  }
  EXPECT_THAT(images, ElementsAre(0, 0, 1, 1, 2, 2));
  EXPECT_EQ(chunk.request.input.size(0), 3);
  EXPECT_EQ(chunk.request.input[2].max().item<float>(), 2);
}

TEST(PassChunkTest, APieceTakesOnlyTheImagesItNeeds) {
  const PassItem a = Item(1, 2, {At("norm_grad", "x")});
  const PassItem b = Item(2, 1, {At("gradient", "y")});
  const std::vector<const PassItem*> items = {&a, &b};
  const std::vector<BatchRow> rows = FirstRowsOf(items).at(0);
  const PassChunk chunk =
      MakeChunk(items, absl::MakeConstSpan(rows).subspan(3, 2));
  EXPECT_EQ(chunk.request.input.size(0), 2);
  EXPECT_EQ(chunk.request.rows[0].image, 0);
  EXPECT_EQ(chunk.request.rows[1].image, 1);
  EXPECT_EQ(std::get<ClassIndex>(chunk.request.rows[0].target).index, 2);
  EXPECT_EQ(std::get<ClassIndex>(chunk.request.rows[1].target).index, 1);
}

TEST(PassChunkTest, RowsTakeTheirVariantsStepAndThoseOfOtherKindsStandApart) {
  PassItem a = Item(1, 1, {At("norm_grad", "x")});
  PassItem b = Item(2, 2, {At("norm_grad", "x")});
  b.variants.resize(3, b.variants.front());
  a.variants[0].meta = MetaStep{.epsilon = 0.25};
  b.variants[0].meta = MetaStep{.epsilon = 0.5};
  b.variants[2].meta = MetaStep{.epsilon = -0.5};
  const std::vector<const PassItem*> items = {&a, &b};
  std::vector<double> epsilons;
  for (const ProbeRow& row :
       MakeChunk(items, FirstRowsOf(items).at(0)).request.rows) {
    epsilons.push_back(row.meta->epsilon);
  }
  EXPECT_THAT(epsilons, ElementsAre(0.25, 0.25, 0.5, 0.5, 0.5, 0.5));
  PassAnswers answers;
  answers.items.resize(2);
  answers.items[1].class_index = {5, 6, 7, 8};
  const std::vector<std::vector<BatchRow>> others = OtherRowsOf(items, answers);
  ASSERT_EQ(others.size(), 2);
  const std::vector<BatchRow>& plain = others[0];
  ASSERT_EQ(plain.size(), 4);
  EXPECT_EQ(plain[3].variant, 1);
  EXPECT_EQ(plain[3].item, 1);
  EXPECT_EQ(plain[3].image, 1);
  EXPECT_EQ(plain[3].target, 1);
  std::vector<int64_t> classes;
  for (const ProbeRow& row : MakeChunk(items, plain).request.rows) {
    EXPECT_FALSE(row.meta.has_value());
    classes.push_back(std::get<ClassIndex>(row.target).index);
  }
  // Whatever rank was asked for: the class that the step was taken for.
  EXPECT_THAT(classes, ElementsAre(5, 6, 7, 8));
  ASSERT_EQ(others[1].size(), 4);
  EXPECT_EQ(MakeChunk(items, others[1]).request.rows[3].meta->epsilon, -0.5);
}

TEST(PassChunkTest, EqualMapsOfAllItemsShareOneGroup) {
  const PassItem a = Item(1, 1, {At("norm_grad", "x"), At("gradient", "x")});
  const PassItem b = Item(2, 1, {At("norm_grad", "y"), At("norm_grad", "x")});
  const PassChunk chunk = Whole({&a, &b});
  ASSERT_EQ(chunk.groups.size(), 3);
  EXPECT_THAT(chunk.groups[0].rows, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(chunk.groups[0].slots, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(chunk.groups[1].rows, ElementsAre(0, 1));
  EXPECT_THAT(chunk.groups[2].rows, ElementsAre(2, 3));
  EXPECT_THAT(chunk.request.probes,
              ElementsAre(Probe{.layer = "x"}, Probe{.layer = "y"}));
}

TEST(PassChunkTest, RealLayersAreProbedOnBothSides) {
  const PassItem item = Item(1, 1, {At("norm_grad_real_conv", "x")});
  const PassChunk chunk = Whole({&item});
  EXPECT_THAT(chunk.request.probes,
              ElementsAre(Probe{.layer = "x"},
                          Probe{.layer = "x", .side = Probe::Side::kInput}));
  EXPECT_THAT(chunk.request.activation_only, ElementsAre(false, true));
  EXPECT_EQ(chunk.groups[0].main_probe, 0);
  EXPECT_EQ(chunk.groups[0].input_probe, 1);
}

TEST(PassChunkTest, AGradientIsLeftOutOnlyWhereNobodyWantsIt) {
  const PassItem a = Item(1, 1, {At("cam", "x"), At("cam", "y")});
  EXPECT_THAT(Whole({&a}).request.activation_only, ElementsAre(true, true));
  const PassItem b = Item(1, 1, {At("norm_grad", "y")});
  EXPECT_THAT(Whole({&a, &b}).request.activation_only,
              ElementsAre(true, false));
}

TEST(PassChunkTest, SpatialMeansNeedNoGradientAndOneRowOfAnImage) {
  PassItem a = Item(1, 2, {});
  a.pooled_layers = {"x", "y"};
  const PassItem stranger = Item(2, 1, {At("norm_grad", "y")});
  const PassChunk chunk = Whole({&a, &stranger});
  ASSERT_EQ(chunk.pools.size(), 2);
  EXPECT_THAT(chunk.pools[0].rows, ElementsAre(0, 2))
      << "rows 1, 3: 2nd target";
  EXPECT_THAT(chunk.pools[0].slots, ElementsAre(0, 0));
  EXPECT_THAT(chunk.pools[1].slots, ElementsAre(1, 1));
  ASSERT_EQ(chunk.request.probes.size(), 2);
  EXPECT_EQ(chunk.request.probes[chunk.pools[0].probe].layer, "x");
  EXPECT_THAT(chunk.request.activation_only, ElementsAre(true, false))
      << "the stranger's map needs the gradient at y";
}

}  // namespace
}  // namespace saliency::pass_chunk_test
