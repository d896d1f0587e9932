#include "core/image/colour_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/image/render.h"
#include "tests/image/lightness.h"

namespace saliency::colour_map_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::array<double, 256> Lightnesses(const ColourMap& map) {
  std::array<double, 256> result;
  std::transform(map.colours.begin(), map.colours.end(), result.begin(),
                 [](const Rgb& colour) { return Lightness(colour.data()); });
  return result;
}

// Colours are rounded to 8 bits, which moves L* by up to a third.
constexpr double kRounding = 0.35;

TEST(ColourMapTest, LighterMeansMoreInTheOrderedMaps) {
  for (const char* name : {"inferno", "viridis", "magma", "grey", ""}) {
    SCOPED_TRACE(name);
    const ColourMap map = MakeColourMap(name).value();
    const std::array<double, 256> lightness = Lightnesses(map);
    for (int i = 1; i < 256; ++i) {
      EXPECT_GE(lightness[i], lightness[i - 1] - kRounding) << "level " << i;
    }
    EXPECT_FALSE(map.diverges);
    EXPECT_LT(lightness[0], 16);
    EXPECT_GT(lightness[255], 89);
  }
}

// A step that is much larger than the others draws an edge where there is none.
TEST(ColourMapTest, StepsOfTheOrderedMapsAreEven) {
  for (const char* name : {"inferno", "viridis", "magma"}) {
    SCOPED_TRACE(name);
    const std::array<double, 256> lightness =
        Lightnesses(MakeColourMap(name).value());
    constexpr int kSpan = 16;
    const double mean = (lightness[255] - lightness[0]) * kSpan / 255;
    for (int i = kSpan; i < 256; ++i) {
      const double step = lightness[i] - lightness[i - kSpan];
      EXPECT_GT(step, 0.5 * mean) << "up to level " << i;
      EXPECT_LT(step, 1.7 * mean) << "up to level " << i;
    }
  }
}

TEST(ColourMapTest, CoolwarmIsLightestInTheMiddleAndEquallyDarkAtItsEnds) {
  const ColourMap map = MakeColourMap("coolwarm").value();
  EXPECT_TRUE(map.diverges);
  const std::array<double, 256> lightness = Lightnesses(map);
  for (int i = 1; i < 128; ++i) {
    EXPECT_GE(lightness[i], lightness[i - 1] - kRounding) << "level " << i;
    EXPECT_GE(lightness[255 - i], lightness[256 - i] - kRounding)
        << "level " << 255 - i;
  }
  for (int i = 0; i < 128; ++i) {
    EXPECT_NEAR(lightness[i], lightness[255 - i], 4) << "level " << i;
  }
  EXPECT_GT(lightness[128], 90);
}

TEST(ColourMapTest, CoolwarmIsNeutralInTheMiddleBlueBelowAndRedAbove) {
  const ColourMap map = MakeColourMap("coolwarm").value();
  for (const int level : {127, 128}) {
    const Rgb& colour = map.colours[level];
    const auto [least, most] =
        std::minmax_element(colour.begin(), colour.end());
    EXPECT_LE(*most - *least, 3) << "level " << level;
  }
  for (int i = 0; i < 112; ++i) {
    EXPECT_GT(map.colours[i][2], map.colours[i][0]) << "level " << i;
    EXPECT_GT(map.colours[255 - i][0], map.colours[255 - i][2])
        << "level " << 255 - i;
  }
}

TEST(ColourMapTest, GreyIsTheLevelItself) {
  const ColourMap map = MakeColourMap("grey").value();
  for (int i = 0; i < 256; ++i) {
    EXPECT_THAT(map.colours[i], testing::Each(i));
  }
}

TEST(ColourMapTest, NamesAreThoseThatAreMade) {
  EXPECT_THAT(ColourMapNames(), ElementsAre("inferno", "viridis", "magma",
                                            "turbo", "grey", "coolwarm"));
  for (const std::string& name : ColourMapNames()) {
    EXPECT_TRUE(CheckColourMap(name).ok());
    EXPECT_TRUE(MakeColourMap(name).ok());
  }
  EXPECT_EQ(MakeColourMap("").value().colours,
            MakeColourMap("inferno").value().colours);
  EXPECT_NE(MakeColourMap("magma").value().colours,
            MakeColourMap("inferno").value().colours);
}

TEST(ColourMapTest, AnUnknownNameIsRefusedWithTheKnownOnes) {
  const absl::Status status = CheckColourMap("jet\n");
  EXPECT_EQ(status, absl::InvalidArgumentError(
                        "\"jet\\n\" is unknown; known: inferno, viridis, "
                        "magma, turbo, grey, coolwarm"));
  EXPECT_EQ(MakeColourMap("jet\n").status(), status);
}

TEST(ColourLevelTest, RoundsToTheNearestAndClamps) {
  EXPECT_EQ(ColourLevel(0), 0);
  EXPECT_EQ(ColourLevel(1), 255);
  EXPECT_EQ(ColourLevel(0.4F / 255), 0);
  EXPECT_EQ(ColourLevel(0.6F / 255), 1);
  EXPECT_EQ(ColourLevel(0.5F), 128);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(ColourLevel(-kInfinity), 0);
  EXPECT_EQ(ColourLevel(kInfinity), 255);
  EXPECT_EQ(ColourLevel(std::nanf("")), 0);
}

}  // namespace
}  // namespace saliency::colour_map_test
