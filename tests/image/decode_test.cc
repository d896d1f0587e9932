// What encoded images become, against Pillow's view of the same files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/image/image.h"
#include "tests/image/golden_images.h"
#include "tests/image/made_images.h"

namespace saliency::decode_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Lossless images decode to the last bit.
int Tolerance(absl::string_view name) {
  // Two decoders may round the inverse transform and the conversion of colours
  // differently.
  if (absl::EndsWith(name, ".jpg") || absl::StartsWith(name, "lossy")) return 2;
  if (name == "jpeg.tif") return 2;
  // OpenCV multiplies by alpha in 8 bits before white is added.
  return name == "alpha.tif" ? 1 : 0;
}

TEST(DecodeTest, EveryFixtureIsWhatAPersonSees) {
  for (const std::string& name : DecodableNames()) {
    SCOPED_TRACE(name);
    const absl::StatusOr<Image> image =
        DecodeImage(ReadGolden("decode/" + name), {});
    ASSERT_TRUE(image.ok()) << image.status();
    const Difference difference =
        MaxDifference(*image, ReadGoldenPpm("decode/" + name + ".ppm"));
    EXPECT_LE(difference.max, Tolerance(name)) << difference;
  }
}

TEST(DecodeTest, TheFixturesHoldEveryOrientationOfEveryFormatThatHasThem) {
  const std::vector<std::string> names = DecodableNames();
  for (const char* format : {"jpg", "png", "webp", "tif"}) {
    for (int number = 1; number <= 8; ++number) {
      EXPECT_THAT(names, testing::Contains(absl::StrCat("orientation_", number,
                                                        ".", format)));
    }
  }
}

TEST(DecodeTest, OrientationsOfFiveAndAboveSwapTheStoredSides) {
  for (int number = 1; number <= 8; ++number) {
    for (const char* format : {"jpg", "png", "webp", "tif"}) {
      const std::string name =
          absl::StrCat("decode/orientation_", number, ".", format);
      SCOPED_TRACE(name);
      const std::string bytes = ReadGolden(name);
      EXPECT_EQ(ReadImageHeader(bytes).value().height, 16);
      const Image image = DecodeImage(bytes, {}).value();
      EXPECT_EQ(image.height, number >= 5 ? 24 : 16);
      EXPECT_EQ(image.width, number >= 5 ? 16 : 24);
    }
  }
}

TEST(DecodeTest, EveryFileOfTheOtherFolderIsRefusedWithTheReason) {
  const std::map<std::string, std::string> reasons = {
      {"animated.webp", "is animated; still images are read"},
      {"cmyk.jpg", "is CMYK; grey and RGB images are read"},
      {"cmyk.tif", "is CMYK; grey and RGB images are read"},
      {"float.tif", "floating-point samples; unsigned ones are read"},
      {"grey_alpha.tif", "has 2 samples per pixel, not 1"},
      {"lab.tif", "photometric interpretation 8"},
      {"image.gif", "JPEG, PNG, WebP, BMP and TIFF are"},
      {"signed_32bit.tif", "signed or floating-point samples"}};
  const std::vector<std::string> names = GoldenNames("refuse", "");
  EXPECT_EQ(names.size(), reasons.size());
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const absl::Status status =
        DecodeImage(ReadGolden("refuse/" + name), {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(reasons.at(name)));
    EXPECT_EQ(ReadImageHeader(ReadGolden("refuse/" + name)).status(), status);
  }
}

TEST(DecodeTest, TheLimitsThemselvesAreAllowed) {
  const std::string bytes = ReadGolden("decode/rgb.png");
  const auto size = static_cast<int64_t>(bytes.size());
  EXPECT_TRUE(DecodeImage(bytes, {.max_bytes = size}).ok());
  EXPECT_TRUE(DecodeImage(bytes, {.max_pixels = 16 * 24}).ok());
}

TEST(DecodeTest, OneByteOrPixelMoreIsRefusedWithValueAndLimit) {
  const std::string bytes = ReadGolden("decode/rgb.png");
  const auto size = static_cast<int64_t>(bytes.size());
  EXPECT_EQ(DecodeImage(bytes, {.max_bytes = size - 1}).status(),
            absl::InvalidArgumentError(
                absl::StrCat("image has ", size, " bytes, limit ", size - 1)));
  EXPECT_EQ(DecodeImage(bytes, {.max_pixels = 16 * 24 - 1}).status(),
            absl::InvalidArgumentError("image has 384 pixels, limit 383"));
}

// A decoder that was asked first would find no pixels and say so.
TEST(DecodeTest, PixelsAreCountedBeforeThereAreAny) {
  const std::map<std::string, std::string> claims = {
      {"jpeg", MadeJpeg(60'000, 50'000)},
      {"png", MadePng(60'000, 50'000)},
      {"webp", MadeWebp(60'000, 50'000)},
      {"tiff", MadeTiff(60'000, 50'000)}};
  for (const auto& [name, bytes] : claims) {
    SCOPED_TRACE(name);
    EXPECT_LT(bytes.size(), 200U);
    EXPECT_EQ(DecodeImage(bytes, {}).status(),
              absl::InvalidArgumentError(
                  "image has 3000000000 pixels, limit 40000000"));
  }
}

TEST(DecodeTest, ABitmapWithoutItsRowsIsRefusedAsTruncated) {
  const absl::Status status =
      DecodeImage(MadeBmp({.height = 60'000, .width = 50'000}), {}).status();
  EXPECT_EQ(status, absl::InvalidArgumentError(
                        "the BMP data is truncated: it holds 0 of 60000 rows"));
}

// Two pixels: green with an alpha of 51 of 255, and clear blue.
TEST(DecodeTest, TheFourthByteOfABitmapIsAnAlphaWhereItsHeaderSaysSo) {
  const std::string pixels("\0\xFF\0\x33\xFF\0\0\0", 8);
  const auto decoded = [&](uint32_t header_size, uint32_t alpha) {
    return DecodeImage(MadeBmp({.header_size = header_size,
                                .width = 2,
                                .bits = 32,
                                .compression = 3,
                                .masks = {0xFF0000, 0xFF00, 0xFF, alpha}}) +
                           pixels,
                       {});
  };
  for (const uint32_t header_size : {56, 108, 124}) {
    SCOPED_TRACE(header_size);
    EXPECT_THAT(decoded(header_size, 0xFF000000)->rgb,
                ElementsAre(204, 255, 204, 255, 255, 255));
    EXPECT_THAT(decoded(header_size, 0)->rgb,
                ElementsAre(0, 255, 0, 0, 0, 255));
    EXPECT_THAT(decoded(header_size, 0x7F000000).status().message(),
                HasSubstr("has an alpha in bits that are not read"));
  }
}

TEST(DecodeTest, PixelsThatWouldOverflowAreCounted) {
  EXPECT_EQ(DecodeImage(MadePng(0x7FFFFFFF, 0x7FFFFFFF), {}).status(),
            absl::InvalidArgumentError(
                "image has 4611686014132420609 pixels, limit 40000000"));
}

TEST(DecodeTest, ASideThatNoDecoderTakesIsRefusedWithTheLimit) {
  EXPECT_EQ(DecodeImage(MadePng(1, (1 << 20) + 1), {}).status(),
            absl::InvalidArgumentError(
                "image has a side of 1048577 pixels, limit 1048576"));
}

TEST(DecodeTest, AHeaderThatTheDataContradictIsRefused) {
  std::string bytes = ReadGolden("decode/rgb.tif");
  // Tag 256, a LONG of 24, becomes 25: one column more than there are bytes.
  const size_t at = bytes.find(std::string("\0\1\4\0\1\0\0\0\x18\0", 10));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 8] = 25;
  EXPECT_EQ(DecodeImage(bytes, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(DecodeTest, NothingAndNoiseAreRefused) {
  EXPECT_EQ(DecodeImage("", {}).status(),
            absl::InvalidArgumentError("image is empty"));
  EXPECT_THAT(std::string(DecodeImage("garbage", {}).status().message()),
              HasSubstr("not of a known format"));
}

}  // namespace
}  // namespace saliency::decode_test
