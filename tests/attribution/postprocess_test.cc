#include "core/attribution/postprocess.h"

#include <torch/script.h>

#include <limits>

#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/naive_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::postprocess_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class PostprocessTest : public DeviceTest {
 protected:
  at::Tensor Normal(uint64_t seed, at::IntArrayRef sizes) {
    torch::manual_seed(seed);
    return at::randn(sizes).to(device());
  }
  // One map of one row.
  at::Tensor Map(std::initializer_list<float> values) {
    return at::tensor(std::vector<float>(values)).view({1, 1, -1}).to(device());
  }
};
SALIENCY_INSTANTIATE_DEVICES(PostprocessTest);

TEST_P(PostprocessTest, ResizeEqualsBilinearInterpolationByHand) {
  const int64_t sizes[][4] = {{7, 7, 31, 22}, {4, 3, 56, 40}, {1, 1, 5, 6},
                              {1, 9, 3, 3},   {14, 10, 7, 5}, {13, 8, 5, 11},
                              {5, 5, 1, 1},   {6, 4, 6, 4},   {2, 3, 224, 224}};
  for (const auto& [h, w, height, width] : sizes) {
    SCOPED_TRACE(testing::Message()
                 << h << "x" << w << " to " << height << "x" << width);
    const at::Tensor maps = Normal(h * 31 + width, {3, h, w});
    EXPECT_TRUE(RowsClose(ResizeMaps(maps, height, width),
                          oracle::Resize(maps, height, width), 1e-5));
  }
}

TEST_P(PostprocessTest, ResizeTakesMapsInAnyMemoryLayout) {
  const at::Tensor maps = Normal(3, {2, 6, 5});
  const at::Tensor turned = maps.transpose(1, 2).contiguous().transpose(1, 2);
  EXPECT_TRUE(Identical(ResizeMaps(turned, 9, 17), ResizeMaps(maps, 9, 17)));
}

TEST_P(PostprocessTest, SummaryGivesRangeAndPoint) {
  const at::Tensor maps = Normal(9, {4, 5, 7});
  const std::vector<MapSummary> summaries = SummariseMaps(maps);
  ASSERT_EQ(summaries.size(), 4u);
  for (int64_t row = 0; row < 4; ++row) {
    const MapSummary& summary = summaries[row];
    EXPECT_TRUE(summary.finite);
    EXPECT_FALSE(summary.constant);
    EXPECT_EQ(summary.raw_min, maps[row].min().item<float>());
    EXPECT_EQ(summary.raw_max, maps[row].max().item<float>());
    EXPECT_EQ(maps[row][summary.point_y][summary.point_x].item<float>(),
              summary.raw_max);
  }
}

TEST_P(PostprocessTest, TiesTakeTheLowestRowMajorIndex) {
  at::Tensor maps = at::zeros({2, 50, 60}).to(device());
  for (const auto& [y, x] : {std::pair{7, 50}, {7, 12}, {40, 3}, {8, 0}}) {
    maps[0][y][x] = 2;
  }
  const std::vector<MapSummary> summaries = SummariseMaps(maps);
  EXPECT_EQ(summaries[0].point_y, 7);
  EXPECT_EQ(summaries[0].point_x, 12);
  EXPECT_EQ(summaries[1].point_y, 0);
  EXPECT_EQ(summaries[1].point_x, 0);
}

TEST_P(PostprocessTest, WhatIsNotFiniteIsFoundAndItsNeighboursAreNot) {
  for (const float bad : {kNaN, kInfinity, -kInfinity}) {
    SCOPED_TRACE(bad);
    at::Tensor maps = Normal(4, {3, 4, 4});
    maps[1][2][3] = bad;
    const std::vector<MapSummary> summaries = SummariseMaps(maps);
    EXPECT_TRUE(summaries[0].finite);
    EXPECT_FALSE(summaries[1].finite);
    EXPECT_TRUE(summaries[2].finite);
    const at::Tensor normalised = NormaliseMaps(maps);
    EXPECT_FALSE(normalised[1].isfinite().all().item<bool>());
    EXPECT_TRUE(Identical(normalised[0], NormaliseMaps(maps)[0]));
    EXPECT_TRUE(normalised[2].isfinite().all().item<bool>());
  }
}

TEST_P(PostprocessTest, NormalisedMapsReachZeroAndOne) {
  const at::Tensor maps = NormaliseMaps(Normal(5, {6, 9, 4}));
  for (int64_t row = 0; row < 6; ++row) {
    EXPECT_EQ(maps[row].min().item<float>(), 0);
    EXPECT_EQ(maps[row].max().item<float>(), 1);
  }
}

TEST_P(PostprocessTest, NormalisingUndoesAPositiveScale) {
  const at::Tensor maps = Normal(6, {3, 9, 4});
  const at::Tensor expected = NormaliseMaps(maps);
  for (const double scale : {1e-12, 1e-30, 1e-3, 7.0, 1e30}) {
    SCOPED_TRACE(scale);
    EXPECT_TRUE(RowsClose(NormaliseMaps(maps * scale), expected, 1e-5));
    EXPECT_FALSE(SummariseMaps(maps * scale)[0].constant);
  }
}

TEST_P(PostprocessTest, AMapThatFillsFloat32DoesNotOverflow) {
  const at::Tensor map = Map({-3e38F, 0, 3e38F, 1.5e38F});
  EXPECT_TRUE(RowsClose(NormaliseMaps(map), Map({0, 0.5F, 1, 0.75F}), 1e-6));
  const MapSummary summary = SummariseMaps(map)[0];
  EXPECT_TRUE(summary.finite);
  EXPECT_FALSE(summary.constant);
}

// The border of the rule, where flag and zeros have to agree.
TEST_P(PostprocessTest, ConstantFlagAndZerosAgree) {
  int constants = 0;
  for (int ulps = 0; ulps < 40; ++ulps) {
    SCOPED_TRACE(ulps);
    const float high = 1 + static_cast<float>(ulps) * 0x1p-23F;
    for (const float sign : {1.0F, -1.0F}) {
      const at::Tensor map = Map({sign, sign * high});
      const bool flag = SummariseMaps(map)[0].constant;
      EXPECT_EQ(flag, NormaliseMaps(map).max().item<float>() == 0);
      constants += flag ? 1 : 0;
    }
  }
  // 1e-6 is 8.4 units in the last place of 1.
  EXPECT_EQ(constants, 2 * 9);
}

TEST_P(PostprocessTest, ZerosAndOnePixelAreConstant) {
  for (const at::Tensor& map : {Map({0, 0, 0}), Map({-4.5F}), Map({3, 3})}) {
    EXPECT_TRUE(SummariseMaps(map)[0].constant);
    EXPECT_TRUE(Identical(NormaliseMaps(map), at::zeros_like(map)));
  }
}

TEST_P(PostprocessTest, MapsAreNormalisedEachOnItsOwn) {
  const at::Tensor maps = Normal(8, {2, 4, 4});
  const at::Tensor scaled =
      maps * at::tensor({1e-9F, 1e9F}).view({2, 1, 1}).to(device());
  EXPECT_TRUE(RowsClose(NormaliseMaps(scaled), NormaliseMaps(maps), 1e-5));
}

TEST_P(PostprocessTest, NoMapsGiveNoSummaries) {
  EXPECT_TRUE(SummariseMaps(at::zeros({0, 3, 4}).to(device())).empty());
}

}  // namespace
}  // namespace saliency::postprocess_test
