// Maps as bytes, read back by OpenCV's decoder.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <random>
#include <string>
#include <vector>

#include "core/image/colour_map.h"
#include "core/image/render.h"
#include "tests/image/golden_images.h"

namespace saliency::map_bytes_test {
namespace {

using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

cv::Mat ReadPng(const std::string& bytes) {
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1A\n");
  return cv::imdecode(std::vector<char>(bytes.begin(), bytes.end()),
                      cv::IMREAD_UNCHANGED);
}

std::vector<float> RandomValues(int count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(0, 1);
  std::vector<float> values(count);
  for (float& v : values) v = value(random);
  return values;
}

TEST(MapBytesTest, Float32IsLittleEndianRowByRow) {
  const std::vector<float> values = {1, -2, 0.5F, -0.0F, kInfinity, 0};
  const MapView map{.height = 2, .width = 3, .values = values};
  EXPECT_EQ(EncodeFloat32(map), std::string("\0\0\x80\x3F"  // 1
                                            "\0\0\0\xC0"    // -2
                                            "\0\0\0\x3F"    // 0.5
                                            "\0\0\0\x80"    // -0
                                            "\0\0\x80\x7F"  // infinity
                                            "\0\0\0\0",
                                            24));
}

TEST(MapBytesTest, Png16KeepsValuesToHalfALevel) {
  const std::vector<float> values = RandomValues(37 * 53, 1);
  const cv::Mat grey = ReadPng(
      EncodePng16({.height = 37, .width = 53, .values = values}).value());
  ASSERT_EQ(grey.type(), CV_16UC1);
  ASSERT_EQ(grey.rows, 37);
  ASSERT_EQ(grey.cols, 53);
  for (int y = 0; y < 37; ++y) {
    for (int x = 0; x < 53; ++x) {
      // Half a level, and the rounding of value x 65535 in float32.
      ASSERT_NEAR(grey.at<uint16_t>(y, x), values[y * 53 + x] * 65535.0, 0.51)
          << "y " << y << " x " << x;
    }
  }
}

TEST(MapBytesTest, Png16ClampsAndTakesNaNForZero) {
  const std::vector<float> values = {
      0, 1, -0.1F, 1.1F, 0.5F, kInfinity, std::nanf(""), -kInfinity};
  const cv::Mat grey =
      ReadPng(EncodePng16({.height = 1, .width = 8, .values = values}).value());
  EXPECT_EQ(std::vector<uint16_t>(grey.begin<uint16_t>(), grey.end<uint16_t>()),
            (std::vector<uint16_t>{0, 65535, 0, 65535, 32768, 65535, 0, 0}));
}

TEST(MapBytesTest, ColourPngIsTheTableAtEachLevel) {
  const std::vector<float> values = RandomValues(19 * 23, 2);
  for (const std::string& name : ColourMapNames()) {
    SCOPED_TRACE(name);
    const ColourMap table = MakeColourMap(name).value();
    if (table.diverges) continue;  // see below
    const cv::Mat bgr =
        ReadPng(EncodeColourPng({.height = 19, .width = 23, .values = values},
                                {.colour_map = name})
                    .value());
    ASSERT_EQ(bgr.type(), CV_8UC3);
    for (int y = 0; y < 19; ++y) {
      for (int x = 0; x < 23; ++x) {
        const auto& pixel = bgr.at<cv::Vec3b>(y, x);
        EXPECT_EQ((Rgb{pixel[2], pixel[1], pixel[0]}),
                  table.colours[ColourLevel(values[y * 23 + x])])
            << "y " << y << " x " << x;
      }
    }
  }
}

std::vector<Rgb> ColoursOf(const std::vector<float>& values,
                           const MapColours& colours) {
  const auto width = static_cast<int64_t>(values.size());
  const cv::Mat bgr = ReadPng(
      EncodeColourPng({.height = 1, .width = width, .values = values}, colours)
          .value());
  std::vector<Rgb> found;
  for (int x = 0; x < bgr.cols; ++x) {
    const auto& pixel = bgr.at<cv::Vec3b>(0, x);
    found.push_back({pixel[2], pixel[1], pixel[0]});
  }
  return found;
}

// Whatever form a signed map has and however lopsided it is: its 0 is neutral
// and equal magnitudes are equally far from it.
TEST(MapBytesTest, SignedMapsDivergeAroundZero) {
  const ColourMap coolwarm = MakeColourMap("coolwarm").value();
  const std::vector<float> raw = {-1, 0, 1, 4};
  const RawRange range = {.min = -1, .max = 4, .is_signed = true};
  std::vector<float> normalised;
  for (const float value : raw) normalised.push_back((value + 1) / 5);
  const std::vector<Rgb> of_raw = ColoursOf(raw, {.scale = RawScale(range)});
  EXPECT_EQ(of_raw, ColoursOf(normalised, {.scale = NormalisedScale(range)}));
  EXPECT_EQ(of_raw[1], coolwarm.colours[128]);
  EXPECT_EQ(of_raw[3], coolwarm.colours[255]);
  EXPECT_NEAR(of_raw[0][2], coolwarm.colours[96][2], 3) << "a quarter blue";
  EXPECT_NEAR(of_raw[2][0], coolwarm.colours[159][0], 3) << "a quarter red";
}

TEST(MapBytesTest, ASequentialMapShowsTheMagnitudeOfASignedOne) {
  const RawRange range = {.min = -3, .max = 1, .is_signed = true};
  const std::vector<Rgb> colours = ColoursOf(
      {-3, -1, 0, 1}, {.colour_map = "viridis", .scale = RawScale(range)});
  const ColourMap viridis = MakeColourMap("viridis").value();
  EXPECT_EQ(colours[0], viridis.colours[255]);
  EXPECT_EQ(colours[1], colours[3]);
  EXPECT_EQ(colours[2], viridis.colours[0]);
}

TEST(MapBytesTest, ADivergingMapLendsAnUnsignedOneItsUpperHalf) {
  const std::vector<Rgb> colours =
      ColoursOf({0, 1}, {.colour_map = "coolwarm"});
  const ColourMap coolwarm = MakeColourMap("coolwarm").value();
  EXPECT_EQ(colours[0], coolwarm.colours[128]);
  EXPECT_EQ(colours[1], coolwarm.colours[255]);
}

TEST(MapBytesTest, AConstantMapAndWhatTheModelDidNotSeeAreNothing) {
  const RawRange constant = {.min = 3, .max = 3, .constant = true};
  const Rgb nothing = MakeColourMap("inferno").value().colours[0];
  EXPECT_THAT(ColoursOf({3, 3}, {.scale = RawScale(constant)}),
              testing::Each(nothing));
  EXPECT_THAT(ColoursOf({0, 0}, {.scale = NormalisedScale(constant)}),
              testing::Each(nothing));
  const RawRange range = {.min = -4, .max = 4, .is_signed = true};
  const std::vector<Rgb> seen = ColoursOf(
      {-4, 4, -4},
      {.scale = RawScale(range), .region = {.x = 1, .height = 1, .width = 1}});
  const ColourMap coolwarm = MakeColourMap("coolwarm").value();
  EXPECT_EQ(seen[0], coolwarm.colours[128]);
  EXPECT_EQ(seen[1], coolwarm.colours[255]);
  EXPECT_EQ(seen[2], coolwarm.colours[128]);
}

// Lossy files are a fraction of the bytes and still the image.
TEST(MapBytesTest, JpegAndWebpAreSmallAndTrue) {
  const Image image = SceneImage(240, 320);
  const std::string png = EncodePng(image).value();
  for (const ImageCoding coding : {ImageCoding::kJpeg, ImageCoding::kWebp}) {
    const std::string file = EncodeImage(image, coding).value();
    EXPECT_EQ(ReadImageHeader(file)->format, coding == ImageCoding::kJpeg
                                                 ? ImageFormat::kJpeg
                                                 : ImageFormat::kWebp);
    EXPECT_LT(file.size(), png.size() / 2);
    const Image back = DecodeImage(file, {}).value();
    double sum = 0;
    for (size_t i = 0; i < back.rgb.size(); ++i) {
      sum += std::abs(back.rgb[i] - image.rgb[i]);
    }
    EXPECT_LT(sum / static_cast<double>(back.rgb.size()), 8);
  }
}

// Limits of the formats are ours before they are a library's.
TEST(MapBytesTest, SidesThatAFormatCannotHoldAreRefused) {
  for (const ImageCoding coding :
       {ImageCoding::kPng, ImageCoding::kJpeg, ImageCoding::kWebp}) {
    const int64_t longest = LongestSide(coding);
    const auto row = [&](int64_t width) {
      return EncodeImage({.height = 1,
                          .width = width,
                          .rgb = std::vector<uint8_t>(3 * width)},
                         coding)
          .status();
    };
    EXPECT_TRUE(row(longest).ok()) << row(longest);
    EXPECT_EQ(row(longest + 1).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(MapBytesTest, AnImageSurvivesItsPng) {
  const Image image = NoiseImage(31, 17, 3);
  const Image back = DecodeImage(EncodePng(image).value(), {}).value();
  const Difference difference = MaxDifference(back, image);
  EXPECT_EQ(difference.max, 0) << difference;
  const cv::Mat bgr = ReadPng(EncodePng(image).value());
  EXPECT_EQ(bgr.at<cv::Vec3b>(0, 0)[2], image.rgb[0]);
}

TEST(MapBytesTest, ValuesThatAreNotHeightTimesWidthAreRefused) {
  const std::vector<float> values(6);
  const MapView wrong[] = {
      {.height = 2, .width = 4, .values = values},
      {.height = 0, .width = 6, .values = values},
      {.height = -2, .width = -3, .values = values},
      {.height = 6, .width = int64_t{1} << 62, .values = values},
      {.height = 0, .width = 0}};
  for (const MapView& map : wrong) {
    for (const absl::Status& status :
         {EncodePng16(map).status(), EncodeColourPng(map, {}).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr("(height x width)"));
    }
  }
}

TEST(MapBytesTest, AnUnknownColourMapIsRefused) {
  const std::vector<float> values(6);
  EXPECT_EQ(EncodeColourPng({.height = 2, .width = 3, .values = values},
                            {.colour_map = "jet"})
                .status(),
            CheckColourMap("jet"));
}

}  // namespace
}  // namespace saliency::map_bytes_test
