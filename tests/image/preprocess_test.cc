#include "core/image/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <utility>

#include "tests/image/golden_images.h"

namespace saliency::preprocess_test {
namespace {

using testing::HasSubstr;

struct TorchvisionCase {
  std::string name;
  InputConfig config;
  int64_t height;
  int64_t width;
};

std::vector<TorchvisionCase> TorchvisionCases() {
  return {{.name = "squash_20x24",
           .config = {.height = 20, .width = 24},
           .height = 20,
           .width = 24},
          {.name = "shortest_side_23",
           .config = {.geometry = InputGeometry::kShortestSide, .resize = 23},
           .height = 23,
           .width = 36},
          {.name = "centre_crop_32_27x25",
           .config = {.height = 27,
                      .width = 25,
                      .geometry = InputGeometry::kCentreCrop,
                      .resize = 32},
           .height = 27,
           .width = 25}};
}

TEST(PreprocessTest, EqualsTorchvisionForEveryGeometry) {
  const Image image = ReadGoldenPpm("resize/wide.ppm");
  for (const TorchvisionCase& test : TorchvisionCases()) {
    SCOPED_TRACE(test.name);
    const std::string bytes = ReadGolden("preprocess/" + test.name + ".f32");
    const PreparedImage prepared = Preprocess(image, test.config).value();
    EXPECT_EQ(prepared.height, test.height);
    EXPECT_EQ(prepared.width, test.width);
    ASSERT_EQ(prepared.chw.size() * sizeof(float), bytes.size());
    std::vector<float> expected(prepared.chw.size());
    std::memcpy(expected.data(), bytes.data(), bytes.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      // One rounding more or less in (v / 255 - mean) / std.
      ASSERT_NEAR(prepared.chw[i], expected[i], 1e-6) << "value " << i;
    }
  }
}

InputConfig PlainConfig(int64_t height, int64_t width) {
  return {
      .height = height, .width = width, .mean = {0, 0, 0}, .std = {1, 1, 1}};
}

TEST(PreprocessTest, BgrSwapsPlanesTogetherWithTheirMeanAndDeviation) {
  const Image image = NoiseImage(9, 11, 4);
  InputConfig config{.height = 9, .width = 11};
  const std::vector<float> rgb = Preprocess(image, config).value().chw;
  config.bgr = true;
  const std::vector<float> bgr = Preprocess(image, config).value().chw;
  for (size_t i = 0; i < 99; ++i) {
    EXPECT_EQ(bgr[i], rgb[2 * 99 + i]);
    EXPECT_EQ(bgr[99 + i], rgb[99 + i]);
    EXPECT_EQ(bgr[2 * 99 + i], rgb[i]);
  }
}

TEST(PreprocessTest, ValueMaxIsWhat255Becomes) {
  const Image image = NoiseImage(4, 4, 5);
  InputConfig config = PlainConfig(4, 4);
  config.value_max = 255;
  const std::vector<float> chw = Preprocess(image, config).value().chw;
  for (size_t i = 0; i < 16; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(chw[16 * c + i], image.rgb[3 * i + c]);
    }
  }
}

TEST(PreprocessTest, InvertsToTheImageWhenNothingIsResized) {
  const Image image = NoiseImage(12, 17, 6);
  const InputConfig config{.height = 12, .width = 17};
  const std::vector<float> chw = Preprocess(image, config).value().chw;
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    const size_t c = i % 3;
    const float value = chw[c * 12 * 17 + i / 3];
    const float pixel = (value * config.std[c] + config.mean[c]) * 255;
    EXPECT_EQ(std::lround(pixel), image.rgb[i]);
  }
}

TEST(PreprocessTest, WithoutACropTheRegionIsTheImage) {
  const Image image = NoiseImage(30, 50, 7);
  const PixelRect all{.height = 30, .width = 50};
  EXPECT_EQ(Preprocess(image, {}).value().region, all);
  const InputConfig shortest{.geometry = InputGeometry::kShortestSide,
                             .resize = 15};
  const PreparedImage prepared = Preprocess(image, shortest).value();
  EXPECT_EQ(prepared.region, all);
  EXPECT_EQ(prepared.height, 15);
  EXPECT_EQ(prepared.width, 25);
}

InputConfig CropConfig(int64_t resize, int64_t height, int64_t width) {
  return {.height = height,
          .width = width,
          .geometry = InputGeometry::kCentreCrop,
          .resize = resize};
}

TEST(PreprocessTest, ACropOfTheOriginalSizeNamesItsOwnPixels) {
  const PreparedImage prepared =
      Preprocess(NoiseImage(100, 60, 8), CropConfig(60, 40, 40)).value();
  EXPECT_EQ(prepared.region,
            (PixelRect{.y = 30, .x = 10, .height = 40, .width = 40}));
}

TEST(PreprocessTest, OddMarginsAreHalvedAsTorchvisionHalvesThem) {
  // Python rounds 2.5 to 2 and 3.5 to 4.
  EXPECT_EQ(Preprocess(NoiseImage(45, 45, 9), CropConfig(45, 40, 40))
                .value()
                .region.y,
            2);
  EXPECT_EQ(Preprocess(NoiseImage(47, 47, 9), CropConfig(47, 40, 40))
                .value()
                .region.y,
            4);
}

// The pixels of `original` whose centre lies in the middle `crop` of the
// `resized` ones, checked one by one in whole numbers.
void ExpectCentres(int64_t original, int64_t resized, int64_t crop,
                   int64_t first, int64_t count) {
  const auto begin = static_cast<int64_t>(
      std::nearbyint(static_cast<double>(resized - crop) / 2));
  for (int64_t i = 0; i < original; ++i) {
    const int64_t centre = (2 * i + 1) * resized;  // times 2 original
    const bool inside = centre >= 2 * original * begin &&
                        centre < 2 * original * (begin + crop);
    ASSERT_EQ(inside, i >= first && i < first + count) << "pixel " << i;
  }
}

TEST(PreprocessTest, TheRegionHoldsExactlyThePixelsWithTheirCentreInTheCrop) {
  std::mt19937 random(11);
  for (int seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const auto height = static_cast<int64_t>(20 + random() % 80);
    const auto width = static_cast<int64_t>(20 + random() % 80);
    const auto resize = static_cast<int64_t>(16 + random() % 60);
    const int64_t side = resize - static_cast<int64_t>(random() % 8);
    const Image image = NoiseImage(height, width, 1);
    const PixelRect region =
        Preprocess(image, CropConfig(resize, side, side)).value().region;
    const int64_t shorter = std::min(height, width);
    ExpectCentres(height, resize * height / shorter, side, region.y,
                  region.height);
    ExpectCentres(width, resize * width / shorter, side, region.x,
                  region.width);
  }
}

// Where a plane is largest; the middle of it where several are.
std::pair<double, double> Peak(const PreparedImage& prepared) {
  const auto end = prepared.chw.begin() + prepared.height * prepared.width;
  const float largest = *std::max_element(prepared.chw.begin(), end);
  double y = 0;
  double x = 0;
  int count = 0;
  for (int64_t i = 0; i < prepared.height * prepared.width; ++i) {
    if (prepared.chw[i] < largest) continue;
    y += static_cast<double>(i / prepared.width) + 0.5;
    x += static_cast<double>(i % prepared.width) + 0.5;
    ++count;
  }
  return {y / count, x / count};
}

// The map over the model's input is stretched over the region: what the model
// sees at one place must be at that place of the image.
TEST(PreprocessTest, ADotIsFoundAgainThroughTheRegion) {
  std::mt19937 random(12);
  const auto pick = [&](int64_t lowest, int64_t highest) {
    return lowest + static_cast<int64_t>(random() % (highest - lowest + 1));
  };
  for (int seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Image image{.height = pick(20, 99), .width = pick(20, 99)};
    image.rgb.resize(3 * image.height * image.width);
    const int64_t side = pick(16, 80);
    const InputConfig config = {
        .height = side,
        .width = side,
        .geometry = static_cast<InputGeometry>(seed % 3),
        .resize = side + pick(0, 10)};
    const PixelRect region = Preprocess(image, config).value().region;
    const int64_t y = region.y + pick(0, region.height - 1);
    const int64_t x = region.x + pick(0, region.width - 1);
    image.rgb[3 * (y * image.width + x)] = 255;
    const PreparedImage prepared = Preprocess(image, config).value();
    const auto [peak_y, peak_x] = Peak(prepared);
    const auto found = [](double peak, int64_t first, int64_t count,
                          int64_t input) {
      return static_cast<double>(first) +
             peak * static_cast<double>(count) / static_cast<double>(input);
    };
    // Half a pixel of the input, and the region's edges, which are rounded to
    // whole pixels of the image.
    const auto slack = [](int64_t count, int64_t input) {
      return 0.5 * static_cast<double>(count) / static_cast<double>(input) + 1;
    };
    EXPECT_NEAR(found(peak_y, region.y, region.height, prepared.height),
                static_cast<double>(y) + 0.5,
                slack(region.height, prepared.height));
    EXPECT_NEAR(found(peak_x, region.x, region.width, prepared.width),
                static_cast<double>(x) + 0.5,
                slack(region.width, prepared.width));
  }
}

TEST(PreprocessTest, ACropBetweenTwoPixelsNamesTheOneInItsMiddle) {
  // 1 x 4 pixels become 256 x 1024; none has its centre in the middle 100.
  const PreparedImage prepared =
      Preprocess(NoiseImage(1, 4, 2), CropConfig(256, 100, 100)).value();
  EXPECT_EQ(prepared.region,
            (PixelRect{.y = 0, .x = 2, .height = 1, .width = 1}));
}

TEST(PreprocessTest, ACropThatDoesNotFitIsRefusedWithTheNumbers) {
  const absl::Status status =
      Preprocess(NoiseImage(80, 40, 2), CropConfig(20, 20, 30)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("20 x 30"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("40 x 20"));
}

TEST(PreprocessTest, ALongImageIsRefusedWithTheNumbers) {
  const InputConfig config{.geometry = InputGeometry::kShortestSide,
                           .resize = 256};
  const absl::Status status =
      Preprocess(NoiseImage(2, 1000, 2), config, 1 << 20).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("256 x 128000"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("limit 1048576"));
}

}  // namespace
}  // namespace saliency::preprocess_test
