#include "core/base/pointing_game.h"

#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace saliency::pointing_game_test {
namespace {

constexpr PixelRect kBox = {.y = 40, .x = 60, .height = 10, .width = 20};

// Looks at every pixel of every box.
bool OneByOne(int64_t y, int64_t x, const std::vector<PixelRect>& boxes,
              double tolerance) {
  for (const PixelRect& box : boxes) {
    for (int64_t v = box.y; v < box.y + box.height; ++v) {
      for (int64_t u = box.x; u < box.x + box.width; ++u) {
        const auto down = static_cast<double>(y - v);
        const auto across = static_cast<double>(x - u);
        if (down * down + across * across < tolerance * tolerance) return true;
      }
    }
  }
  return false;
}

TEST(PointingGameTest, APointOnTheBoxHits) {
  EXPECT_TRUE(PointsAt(40, 60, {kBox}));
  EXPECT_TRUE(PointsAt(49, 79, {kBox}));
  EXPECT_TRUE(PointsAt(45, 70, {kBox}, 1));
}

TEST(PointingGameTest, FifteenPixelsAwayIsAMissAndFourteenAHit) {
  EXPECT_TRUE(PointsAt(45, 60 - 14, {kBox}));
  EXPECT_FALSE(PointsAt(45, 60 - 15, {kBox}));
  EXPECT_TRUE(PointsAt(45, 79 + 14, {kBox}));
  EXPECT_FALSE(PointsAt(45, 79 + 15, {kBox}));
  EXPECT_TRUE(PointsAt(49 + 14, 70, {kBox}));
  EXPECT_FALSE(PointsAt(49 + 15, 70, {kBox}));
}

TEST(PointingGameTest, DistanceIsEuclidean) {
  EXPECT_FALSE(PointsAt(49 + 9, 79 + 12, {kBox})) << "exactly 15";
  EXPECT_TRUE(PointsAt(49 + 9, 79 + 11, {kBox}));
  EXPECT_FALSE(PointsAt(49 + 11, 79 + 11, {kBox})) << "15.6";
}

TEST(PointingGameTest, AnyOfSeveralBoxesWill) {
  const std::vector<PixelRect> boxes = {
      {.y = 0, .x = 0, .height = 1, .width = 1}, kBox};
  EXPECT_TRUE(PointsAt(10, 10, boxes));
  EXPECT_TRUE(PointsAt(45, 70, boxes));
  EXPECT_FALSE(PointsAt(25, 35, boxes));
}

TEST(PointingGameTest, NoPixelIsHitByNothing) {
  EXPECT_FALSE(PointsAt(0, 0, {}));
  const PixelRect no_rows = {.y = 0, .x = 0, .height = 0, .width = 5};
  const PixelRect no_columns = {.y = 0, .x = 0, .height = 5, .width = 0};
  EXPECT_FALSE(PointsAt(0, 0, {no_rows, no_columns}));
  EXPECT_FALSE(PointsAt(45, 70, {kBox}, 0)) << "nothing is closer than 0";
}

TEST(PointingGameTest, EqualsLookingAtEveryPixel) {
  std::mt19937 random(7);
  const auto below = [&](int64_t end) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(end));
  };
  int hits = 0;
  constexpr int kTrials = 3000;
  for (int trial = 0; trial < kTrials; ++trial) {
    SCOPED_TRACE(trial);
    std::vector<PixelRect> boxes;
    for (int64_t i = below(3); i >= 0; --i) {
      boxes.push_back({.y = below(60),
                       .x = below(60),
                       .height = below(20),
                       .width = below(20)});
    }
    const int64_t y = below(80);
    const int64_t x = below(80);
    const double tolerance = trial % 2 == 0 ? 15 : 4;
    const bool expected = OneByOne(y, x, boxes, tolerance);
    EXPECT_EQ(PointsAt(y, x, boxes, tolerance), expected);
    hits += expected ? 1 : 0;
  }
  EXPECT_GT(hits, kTrials / 10);
  EXPECT_LT(hits, kTrials * 9 / 10);
}

}  // namespace
}  // namespace saliency::pointing_game_test
