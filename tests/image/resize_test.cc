#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/image/preprocess.h"
#include "core/image/resize.h"
#include "tests/image/golden_images.h"

namespace saliency::resize_test {
namespace {

// "wide_64x40.ppm": what Pillow makes of wide.ppm.
TEST(ResizeTest, EqualsPillowToTheLastBit) {
  int compared = 0;
  for (const std::string& name : GoldenNames("resize", ".ppm")) {
    const size_t underscore = name.find('_');
    if (underscore == std::string::npos) continue;
    SCOPED_TRACE(name);
    const Image source =
        ReadGoldenPpm("resize/" + name.substr(0, underscore) + ".ppm");
    const Image expected = ReadGoldenPpm("resize/" + name);
    const Image resized = ResizeImage(source, expected.height, expected.width);
    const Difference difference = MaxDifference(resized, expected);
    EXPECT_EQ(difference.max, 0) << difference;
    ++compared;
  }
  EXPECT_GE(compared, 18);
}

TEST(ResizeTest, SameSizeReturnsTheImage) {
  const Image image = NoiseImage(7, 5, 1);
  EXPECT_EQ(ResizeImage(image, 7, 5).rgb, image.rgb);
}

TEST(ResizeTest, AConstantImageStaysConstantAtEverySize) {
  for (const uint8_t value : {0, 1, 127, 254, 255}) {
    Image image{.height = 23, .width = 31};
    image.rgb.assign(3 * 23 * 31, value);
    for (const int64_t side : {1, 2, 11, 23, 24, 64, 311}) {
      EXPECT_THAT(ResizeImage(image, side, side + 3).rgb, testing::Each(value))
          << "side " << side;
    }
  }
}

TEST(ResizeTest, AWindowIsTheSamePartOfTheWhole) {
  std::mt19937 random(7);
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const auto pick = [&](int64_t lowest, int64_t highest) {
      return lowest + static_cast<int64_t>(random() % (highest - lowest + 1));
    };
    const Image image = NoiseImage(pick(1, 60), pick(1, 60), seed);
    const int64_t height = pick(1, 90);
    const int64_t width = pick(1, 90);
    PixelRect window;
    window.y = pick(0, height - 1);
    window.x = pick(0, width - 1);
    window.height = pick(1, height - window.y);
    window.width = pick(1, width - window.x);
    const Image whole = ResizeImage(image, height, width);
    const Image part = ResizeWindow(image, height, width, window);
    ASSERT_EQ(part.rgb.size(), 3 * window.height * window.width);
    for (int64_t y = 0; y < window.height; ++y) {
      for (int64_t i = 0; i < 3 * window.width; ++i) {
        ASSERT_EQ(part.rgb[3 * y * window.width + i],
                  whole.rgb[3 * ((window.y + y) * width + window.x) + i])
            << "row " << y << " byte " << i;
      }
    }
  }
}

TEST(ResizeTest, AWindowOfAnEnormousResultIsCheap) {
  // Whole, the result would take 768 GB.
  const Image ribbon = NoiseImage(1, 1'000'000, 3);
  const Image window =
      ResizeWindow(ribbon, 256, 1'000'000'000,
                   {.y = 16, .x = 499'999'888, .height = 224, .width = 224});
  EXPECT_EQ(window.rgb.size(), 3U * 224 * 224);
}

}  // namespace
}  // namespace saliency::resize_test
