#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/image/colour_map.h"
#include "core/image/render.h"
#include "tests/image/golden_images.h"
#include "tests/image/lightness.h"

namespace saliency::overlay_test {
namespace {

using testing::HasSubstr;

// A map that owns its values.
struct Map {
  Map(int64_t map_height, int64_t map_width, float value)
      : height(map_height),
        width(map_width),
        values(static_cast<size_t>(map_height * map_width), value) {}
  MapView view() const {
    return {.height = height, .width = width, .values = values};
  }

  int64_t height;
  int64_t width;
  std::vector<float> values;
};

// 0 at the left edge, 1 at the right edge.
Map RampMap(int64_t height, int64_t width) {
  Map map(height, width, 0);
  for (size_t i = 0; i < map.values.size(); ++i) {
    map.values[i] =
        static_cast<float>(i % width) / static_cast<float>(width - 1);
  }
  return map;
}

Image UniformImage(int64_t height, int64_t width, const Rgb& colour) {
  Image image{.height = height, .width = width};
  for (int64_t i = 0; i < height * width; ++i) {
    image.rgb.insert(image.rgb.end(), colour.begin(), colour.end());
  }
  return image;
}

Rgb PixelAt(const Image& image, int64_t y, int64_t x) {
  const uint8_t* rgb = &image.rgb[3 * (y * image.width + x)];
  return {rgb[0], rgb[1], rgb[2]};
}

// The rows from `top` on.
Image Below(const Image& image, int64_t top) {
  return {.height = image.height - top,
          .width = image.width,
          .rgb = {image.rgb.begin() + 3 * top * image.width, image.rgb.end()}};
}

Image Draw(const Image& image, const Map& map, const OverlayOptions& options) {
  absl::StatusOr<Image> overlay = Overlay(image, map.view(), options);
  EXPECT_TRUE(overlay.ok()) << overlay.status();
  return overlay.ok() ? *std::move(overlay) : Image{};
}

TEST(OverlayTest, HasTheImagesSize) {
  const Image image = SceneImage(60, 90);
  const Image overlay = Draw(image, RampMap(60, 90), {});
  EXPECT_EQ(overlay.height, 60);
  EXPECT_EQ(overlay.width, 90);
  EXPECT_EQ(overlay.rgb.size(), image.rgb.size());
}

TEST(OverlayTest, OpacityZeroIsTheImage) {
  const Image image = NoiseImage(40, 50, 1);
  for (const std::string& colour_map : ColourMapNames()) {
    const Image overlay =
        Draw(image, RampMap(40, 50), {.colours = {colour_map}, .opacity = 0});
    const Difference difference = MaxDifference(overlay, image);
    EXPECT_EQ(difference.max, 0) << colour_map << ": " << difference;
  }
}

TEST(OverlayTest, OpacityOneShowsTheMapsOwnColourWhereItIsStrongest) {
  const Image image = NoiseImage(8, 8, 2);
  for (const std::string& name : ColourMapNames()) {
    const Image overlay =
        Draw(image, Map(8, 8, 1), {.colours = {name}, .opacity = 1});
    const Rgb hottest = MakeColourMap(name).value().colours[255];
    const Difference difference =
        MaxDifference(overlay, UniformImage(8, 8, hottest));
    EXPECT_EQ(difference.max, 0) << name << ": " << difference;
  }
}

TEST(OverlayTest, MoreOpacityIsMoreMapAndLessImage) {
  const Image black = UniformImage(1, 1, {0, 0, 0});
  const Image white = UniformImage(1, 1, {255, 255, 255});
  int last = 256;
  for (const float opacity : {0.0F, 0.25F, 0.5F, 0.75F, 1.0F}) {
    const OverlayOptions options{.opacity = opacity};
    const int contrast = Draw(white, Map(1, 1, 1), options).rgb[0] -
                         Draw(black, Map(1, 1, 1), options).rgb[0];
    EXPECT_LT(contrast, last) << "opacity " << opacity;
    last = contrast;
  }
}

// How far a pixel is from the image's, all channels together.
int Departure(const Rgb& pixel, const Rgb& ground) {
  int sum = 0;
  for (int c = 0; c < 3; ++c) sum += std::abs(pixel[c] - ground[c]);
  return sum;
}

constexpr RawRange kSigned = {.min = -1, .max = 3, .is_signed = true};

// A film over all of the image says that all of it mattered.
TEST(OverlayTest, WhereTheMapIsZeroTheImageStandsAlone) {
  const Image image = NoiseImage(20, 20, 3);
  for (const std::string& name : ColourMapNames()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(Draw(image, Map(20, 20, 0), {.colours = {name}}).rgb, image.rgb);
    EXPECT_EQ(
        Draw(image, Map(20, 20, 0), {.colours = {name, RawScale(kSigned)}}).rgb,
        image.rgb);
    // The same map normalised: its 0 is a quarter.
    EXPECT_EQ(Draw(image, Map(20, 20, 0.25F),
                   {.colours = {name, NormalisedScale(kSigned)}})
                  .rgb,
              image.rgb);
  }
}

TEST(OverlayTest, MoreOfTheMapIsNeverLessOfItsColour) {
  for (const char* name : {"inferno", "magma", "viridis", "grey"}) {
    const ColourMap colours = MakeColourMap(name).value();
    for (const uint8_t ground : {0, 60, 160, 255}) {
      SCOPED_TRACE(testing::Message() << name << " over " << int{ground});
      const Image overlay =
          Draw(UniformImage(1, 256, {ground, ground, ground}), RampMap(1, 256),
               {.colours = {name}, .opacity = 1});
      for (int64_t x = 0; x < 256; ++x) {
        const double share = static_cast<double>(x) / 255;
        for (int c = 0; c < 3; ++c) {
          EXPECT_NEAR(PixelAt(overlay, 0, x)[c],
                      (1 - share) * ground + share * colours.colours[x][c], 1.5)
              << "level " << x;
        }
      }
    }
  }
}

TEST(OverlayTest, SignedMapsAreBlueBelowZeroAndRedAbove) {
  const Rgb ground = {128, 128, 128};
  const Image image = UniformImage(1, 5, ground);
  Map map(1, 5, 0);
  map.values = {-1, 0, 1, 3, -0.5F};
  const Image overlay = Draw(image, map, {.colours = {"", RawScale(kSigned)}});
  const auto pixel = [&](int64_t x) { return PixelAt(overlay, 0, x); };
  EXPECT_GT(pixel(0)[2], pixel(0)[0]);
  EXPECT_GT(pixel(3)[0], pixel(3)[2]);
  EXPECT_EQ(pixel(1), ground);
  EXPECT_GT(Departure(pixel(3), ground), Departure(pixel(2), ground));
  EXPECT_GT(Departure(pixel(0), ground), Departure(pixel(4), ground));
  EXPECT_NEAR(Departure(pixel(0), ground), Departure(pixel(2), ground), 24)
      << "the same magnitude on either side";
}

TEST(OverlayTest, WhatTheModelDidNotSeeIsNotPainted) {
  const Image image = NoiseImage(6, 8, 5);
  const PixelRect region = {.y = 1, .x = 2, .height = 3, .width = 4};
  const Image overlay =
      Draw(image, Map(6, 8, -1),
           {.colours = {.scale = RawScale(kSigned), .region = region}});
  for (int64_t y = 0; y < 6; ++y) {
    for (int64_t x = 0; x < 8; ++x) {
      const bool inside = y >= 1 && y < 4 && x >= 2 && x < 6;
      EXPECT_EQ(PixelAt(overlay, y, x) == PixelAt(image, y, x), !inside)
          << y << ", " << x;
    }
  }
}

// The colours of the bar's strip from left to right, without repeats.
std::vector<Rgb> BarColours(const Image& overlay, int64_t band,
                            const ColourMap& table) {
  std::vector<Rgb> colours;
  const int64_t y = overlay.height - band / 2 - band / 4;
  for (int64_t x = 0; x < overlay.width; ++x) {
    const Rgb pixel = PixelAt(overlay, y, x);
    if (std::find(table.colours.begin(), table.colours.end(), pixel) ==
        table.colours.end()) {
      continue;
    }
    if (colours.empty() || colours.back() != pixel) colours.push_back(pixel);
  }
  return colours;
}

TEST(OverlayTest, TheColourBarGoesFromEndToEndBelowTheImage) {
  const Image image = SceneImage(120, 480);
  const Map map = RampMap(120, 480);
  const Image plain = Draw(image, map, {});
  const Image barred = Draw(image, map, {.colour_bar = true});
  const int64_t band = barred.height - 120;
  EXPECT_GE(band, 20);
  EXPECT_TRUE(
      std::equal(plain.rgb.begin(), plain.rgb.end(), barred.rgb.begin()));
  const ColourMap inferno = MakeColourMap("").value();
  const std::vector<Rgb> colours = BarColours(barred, band, inferno);
  ASSERT_GT(colours.size(), 100);
  EXPECT_EQ(colours.front(), inferno.colours[0]);
  EXPECT_EQ(colours.back(), inferno.colours[255]);
  const Image diverging =
      Draw(image, map,
           {.colours = {"", NormalisedScale(kSigned)}, .colour_bar = true});
  const ColourMap coolwarm = MakeColourMap("coolwarm").value();
  const std::vector<Rgb> both = BarColours(diverging, band, coolwarm);
  ASSERT_GT(both.size(), 100);
  EXPECT_EQ(both.front(), coolwarm.colours[0]);
  EXPECT_EQ(both.back(), coolwarm.colours[255]);
}

// The bar tells values: other values, other pixels.
TEST(OverlayTest, TheColourBarShowsItsValues) {
  const Image image = SceneImage(60, 320);
  const Map map = RampMap(60, 320);
  const auto bar = [&](double low, double high) {
    const RawRange range = {.min = low, .max = high};
    return Below(Draw(image, map,
                      {.colours = {"", NormalisedScale(range)},
                       .colour_bar = true}),
                 60)
        .rgb;
  };
  EXPECT_NE(bar(0, 1), bar(0, 0.5));
  EXPECT_NE(bar(0.25, 0.5), bar(0, 0.5));
  EXPECT_EQ(bar(0, 1), bar(0, 1));
}

TEST(OverlayTest, AColourBarFitsImagesOfAnySize) {
  for (const int64_t side : {1, 2, 3, 8, 15, 40, 90}) {
    const Image overlay = Draw(NoiseImage(side, side, 5), Map(side, side, 1),
                               {.title = "t", .colour_bar = true});
    EXPECT_EQ(overlay.width, side);
    EXPECT_EQ(overlay.height, side + 40);
  }
}

TEST(OverlayTest, ValuesOutsideTheirRangeAreClamped) {
  const Image image = NoiseImage(1, 1, 4);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Draw(image, Map(1, 1, infinity), {}).rgb,
            Draw(image, Map(1, 1, 1), {}).rgb);
  EXPECT_EQ(Draw(image, Map(1, 1, -3), {}).rgb,
            Draw(image, Map(1, 1, 0), {}).rgb);
  EXPECT_EQ(Draw(image, Map(1, 1, std::nanf("")), {}).rgb,
            Draw(image, Map(1, 1, 0), {}).rgb);
}

TEST(OverlayTest, TheRingLiesAroundThePoint) {
  const Image image = SceneImage(200, 300);
  const Map map = RampMap(200, 300);
  const Image plain = Draw(image, map, {});
  for (const auto& [point_y, point_x] :
       {std::pair<int64_t, int64_t>{100, 150}, {37, 251}, {160, 40}}) {
    SCOPED_TRACE(testing::Message() << point_y << ", " << point_x);
    const Image marked =
        Draw(image, map,
             {.mark_point = true, .point_y = point_y, .point_x = point_x});
    double sum_y = 0;
    double sum_x = 0;
    int changed = 0;
    for (int64_t y = 0; y < 200; ++y) {
      for (int64_t x = 0; x < 300; ++x) {
        if (PixelAt(marked, y, x) == PixelAt(plain, y, x)) continue;
        const double distance = std::hypot(y - point_y, x - point_x);
        EXPECT_GT(distance, 2) << "the point itself is covered";
        EXPECT_LT(distance, 14) << y << ", " << x;
        sum_y += static_cast<double>(y);
        sum_x += static_cast<double>(x);
        ++changed;
      }
    }
    ASSERT_GT(changed, 60);
    EXPECT_NEAR(sum_y / changed, static_cast<double>(point_y), 0.25);
    EXPECT_NEAR(sum_x / changed, static_cast<double>(point_x), 0.25);
  }
}

TEST(OverlayTest, TheRingIsSeenOnBlackAndOnWhite) {
  for (const uint8_t ground : {0, 128, 255}) {
    const Image marked =
        Draw(UniformImage(100, 100, {ground, ground, ground}), Map(100, 100, 0),
             {.opacity = 0, .mark_point = true, .point_y = 50, .point_x = 50});
    const auto [darkest, lightest] =
        std::minmax_element(marked.rgb.begin(), marked.rgb.end());
    EXPECT_GT(*lightest - *darkest, 100) << int{ground};
  }
}

TEST(OverlayTest, ARingAtTheEdgeLeavesTheTitleAlone) {
  const Image image = SceneImage(60, 90);
  const Map map = RampMap(60, 90);
  const Image plain = Draw(image, map, {.title = "tabby"});
  const int64_t band = plain.height - 60;
  for (const auto& [point_y, point_x] :
       {std::pair<int64_t, int64_t>{0, 0}, {0, 89}, {59, 0}, {59, 89}}) {
    const Image marked = Draw(image, map,
                              {.title = "tabby",
                               .mark_point = true,
                               .point_y = point_y,
                               .point_x = point_x});
    EXPECT_TRUE(std::equal(plain.rgb.begin(), plain.rgb.begin() + 3 * band * 90,
                           marked.rgb.begin()));
    EXPECT_NE(Below(marked, band).rgb, Below(plain, band).rgb);
  }
}

TEST(OverlayTest, TheTitleStandsInABandOfItsOwnAboveTheImage) {
  const Image image = SceneImage(120, 240);
  const Map map = RampMap(120, 240);
  const Image titled = Draw(image, map, {.title = "tabby 93.2 %"});
  const int64_t band = titled.height - 120;
  EXPECT_GE(band, 20);
  EXPECT_LE(band, 72);
  EXPECT_EQ(Below(titled, band).rgb, Draw(image, map, {}).rgb);
  const Rgb ground = PixelAt(titled, 0, 0);
  EXPECT_LT(Lightness(ground.data()), 15);
  int ink = 0;
  for (int64_t y = 0; y < band; ++y) {
    for (int64_t x = 0; x < 240; ++x) {
      const Rgb pixel = PixelAt(titled, y, x);
      const double lightness = Lightness(pixel.data());
      if (lightness > 85) ++ink;
      if (y == 0 || y == band - 1 || x == 0 || x == 239) {
        EXPECT_EQ(pixel, ground) << y << ", " << x;
      }
    }
  }
  EXPECT_GT(ink, 40) << "no crisp strokes";
}

TEST(OverlayTest, ALongTitleStaysInsideTheBand) {
  const Image image = SceneImage(40, 160);
  const Image titled = Draw(
      image, RampMap(40, 160),
      {.title =
           "a very long label, and a score 100.0 %   selective_norm_grad"});
  const int64_t band = titled.height - 40;
  const Rgb ground = PixelAt(titled, 0, 0);
  for (int64_t y = 0; y < band; ++y) {
    for (const int64_t x : {0, 1, 158, 159}) {
      EXPECT_EQ(PixelAt(titled, y, x), ground) << y << ", " << x;
    }
  }
}

TEST(OverlayTest, ImagesTooSmallForTheirTitleAreDrawnAllTheSame) {
  for (const int64_t side : {1, 2, 3, 8, 15}) {
    const Image overlay = Draw(NoiseImage(side, side, 5), Map(side, side, 1),
                               {.title = "tabby 93.2 %", .mark_point = true});
    EXPECT_EQ(overlay.width, side);
    EXPECT_GT(overlay.height, side);
  }
}

TEST(OverlayTest, WhatDoesNotFitIsRefusedWithTheNumbers) {
  const Image image = NoiseImage(20, 30, 6);
  const Map map(20, 30, 1);
  const auto message = [&](const Map& over, const OverlayOptions& options) {
    const absl::Status status = Overlay(image, over.view(), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(message(Map(30, 20, 1), {}),
            "a map of 30 x 20 (height x width) does not lie on an image of 20 "
            "x 30");
  EXPECT_EQ(message(map, {.opacity = 1.5F}), "opacity 1.5 is not in [0, 1]");
  EXPECT_EQ(message(map, {.opacity = -0.5F}), "opacity -0.5 is not in [0, 1]");
  EXPECT_THAT(message(map, {.opacity = std::nanf("")}), HasSubstr("opacity"));
  EXPECT_THAT(message(map, {.mark_point = true, .point_y = 20}),
              HasSubstr("point (20, 0) is outside the image of 20 x 30"));
  EXPECT_THAT(message(map, {.mark_point = true, .point_x = -1}),
              HasSubstr("point (0, -1)"));
  EXPECT_THAT(message(map, {.colours = {"jet"}}), HasSubstr("known: inferno"));
}

}  // namespace
}  // namespace saliency::overlay_test
