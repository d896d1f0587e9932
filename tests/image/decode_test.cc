// What encoded pictures become, against Pillow's view of the same files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/image/picture.h"
#include "tests/image/golden_pictures.h"
#include "tests/image/made_pictures.h"

namespace saliency::decode_test {
namespace {

using testing::HasSubstr;

// Lossless pictures decode to the last bit.
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
    const absl::StatusOr<Picture> picture =
        DecodePicture(ReadGolden("decode/" + name), {});
    ASSERT_TRUE(picture.ok()) << picture.status();
    const Difference difference =
        MaxDifference(*picture, ReadGoldenPpm("decode/" + name + ".ppm"));
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
      EXPECT_EQ(ReadPictureHeader(bytes).value().height, 16);
      const Picture picture = DecodePicture(bytes, {}).value();
      EXPECT_EQ(picture.height, number >= 5 ? 24 : 16);
      EXPECT_EQ(picture.width, number >= 5 ? 16 : 24);
    }
  }
}

TEST(DecodeTest, EveryFileOfTheOtherFolderIsRefusedWithTheReason) {
  const std::map<std::string, std::string> reasons = {
      {"animated.webp", "is animated; still pictures are read"},
      {"cmyk.jpg", "is CMYK; grey and RGB pictures are read"},
      {"cmyk.tif", "is CMYK; grey and RGB pictures are read"},
      {"float.tif", "floating-point samples; unsigned ones are read"},
      {"grey_alpha.tif", "has 2 samples per pixel, not 1"},
      {"lab.tif", "photometric interpretation 8"},
      {"picture.gif", "JPEG, PNG, WebP, BMP and TIFF are"},
      {"signed_32bit.tif", "signed or floating-point samples"}};
  const std::vector<std::string> names = GoldenNames("refuse", "");
  EXPECT_EQ(names.size(), reasons.size());
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const absl::Status status =
        DecodePicture(ReadGolden("refuse/" + name), {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(reasons.at(name)));
    EXPECT_EQ(ReadPictureHeader(ReadGolden("refuse/" + name)).status(), status);
  }
}

TEST(DecodeTest, TheLimitsThemselvesAreAllowed) {
  const std::string bytes = ReadGolden("decode/rgb.png");
  const auto size = static_cast<int64_t>(bytes.size());
  EXPECT_TRUE(DecodePicture(bytes, {.max_bytes = size}).ok());
  EXPECT_TRUE(DecodePicture(bytes, {.max_pixels = 16 * 24}).ok());
}

TEST(DecodeTest, OneByteOrPixelMoreIsRefusedWithValueAndLimit) {
  const std::string bytes = ReadGolden("decode/rgb.png");
  const auto size = static_cast<int64_t>(bytes.size());
  EXPECT_EQ(DecodePicture(bytes, {.max_bytes = size - 1}).status(),
            absl::InvalidArgumentError(absl::StrCat(
                "picture has ", size, " bytes, limit ", size - 1)));
  EXPECT_EQ(DecodePicture(bytes, {.max_pixels = 16 * 24 - 1}).status(),
            absl::InvalidArgumentError("picture has 384 pixels, limit 383"));
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
    EXPECT_EQ(DecodePicture(bytes, {}).status(),
              absl::InvalidArgumentError(
                  "picture has 3000000000 pixels, limit 40000000"));
  }
}

TEST(DecodeTest, ABitmapWithoutItsRowsIsRefusedAsTruncated) {
  const absl::Status status =
      DecodePicture(MadeBmp({.height = 60'000, .width = 50'000}), {}).status();
  EXPECT_EQ(status, absl::InvalidArgumentError(
                        "the BMP data is truncated: it holds 0 of 60000 rows"));
}

TEST(DecodeTest, PixelsThatWouldOverflowAreCounted) {
  EXPECT_EQ(DecodePicture(MadePng(0x7FFFFFFF, 0x7FFFFFFF), {}).status(),
            absl::InvalidArgumentError(
                "picture has 4611686014132420609 pixels, limit 40000000"));
}

TEST(DecodeTest, ASideThatNoDecoderTakesIsRefusedWithTheLimit) {
  EXPECT_EQ(DecodePicture(MadePng(1, (1 << 20) + 1), {}).status(),
            absl::InvalidArgumentError(
                "picture has a side of 1048577 pixels, limit 1048576"));
}

TEST(DecodeTest, AHeaderThatTheDataContradictIsRefused) {
  std::string bytes = ReadGolden("decode/rgb.tif");
  // Tag 256, a LONG of 24, becomes 25: one column more than there are bytes.
  const size_t at = bytes.find(std::string("\0\1\4\0\1\0\0\0\x18\0", 10));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 8] = 25;
  EXPECT_EQ(DecodePicture(bytes, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(DecodeTest, NothingAndNoiseAreRefused) {
  EXPECT_EQ(DecodePicture("", {}).status(),
            absl::InvalidArgumentError("picture is empty"));
  EXPECT_THAT(std::string(DecodePicture("garbage", {}).status().message()),
              HasSubstr("not of a known format"));
}

}  // namespace
}  // namespace saliency::decode_test
