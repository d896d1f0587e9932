// What the first bytes say, format by format, from files that say one thing
// wrong each.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/image/image.h"
#include "tests/image/golden_images.h"
#include "tests/image/made_images.h"

namespace saliency::image_header_test {
namespace {

using testing::HasSubstr;

// "60 x 40" (height x width), or the message of the refusal.
std::string Read(const std::string& bytes) {
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  if (header.ok()) return absl::StrCat(header->height, " x ", header->width);
  EXPECT_EQ(header.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(header.status().message());
}

TEST(ImageHeaderTest, TellsFormatAndStoredSizeOfEveryFixture) {
  const std::map<std::string, ImageFormat> formats = {
      {"jpg", ImageFormat::kJpeg},
      {"png", ImageFormat::kPng},
      {"webp", ImageFormat::kWebp},
      {"bmp", ImageFormat::kBmp},
      {"tif", ImageFormat::kTiff}};
  for (const std::string& name : DecodableNames()) {
    SCOPED_TRACE(name);
    const ImageHeader header =
        ReadImageHeader(ReadGolden("decode/" + name)).value();
    EXPECT_EQ(header.format, formats.at(name.substr(name.find('.') + 1)));
    EXPECT_EQ(header.height, 16);
    EXPECT_EQ(header.width, 24);
  }
}

TEST(ImageHeaderTest, OtherMagicBytesAreRefusedNamingTheFormats) {
  for (const std::string& bytes :
       {std::string("GIF89a\1\0\1\0"), std::string("8BPS\0\1", 6),
        std::string("RIFF\4\0\0\0WAVE", 12), std::string("P6 1 1 255\n   "),
        std::string("II+\0\x08\0\0\0", 8), std::string("\0\0\1\0", 4),
        std::string("%PDF-1.4"), std::string("B"), std::string("\xFF\xD8")}) {
    EXPECT_EQ(Read(bytes),
              "image is not of a known format; JPEG, PNG, WebP, BMP and TIFF "
              "are");
  }
  EXPECT_EQ(Read(""), "image is empty");
}

TEST(ImageHeaderTest, MagicBytesAloneAreRefused) {
  for (const std::string& bytes :
       {std::string("\xFF\xD8\xFF"), std::string("\x89PNG\r\n\x1A\n"),
        std::string("RIFF\0\0\0\0WEBP", 12), std::string("BM"),
        std::string("II*\0", 4), std::string("MM\0*", 4)}) {
    EXPECT_FALSE(ReadImageHeader(bytes).ok());
  }
}

TEST(PngHeaderTest, TakesTheDepthsOfEachColourTypeAndNoOther) {
  const std::map<int, std::vector<int>> depths = {{0, {1, 2, 4, 8, 16}},
                                                  {2, {8, 16}},
                                                  {3, {1, 2, 4, 8}},
                                                  {4, {8, 16}},
                                                  {6, {8, 16}}};
  for (int colour_type = 0; colour_type < 8; ++colour_type) {
    for (int bits = 0; bits <= 32; ++bits) {
      const auto known = depths.find(colour_type);
      const bool possible =
          known != depths.end() &&
          std::count(known->second.begin(), known->second.end(), bits) == 1;
      EXPECT_EQ(Read(MadePng(60, 40, bits, colour_type)),
                possible ? "60 x 40"
                         : absl::StrCat("the PNG data combines colour type ",
                                        colour_type, " with ", bits,
                                        " bits, which PNG does not"));
    }
  }
}

TEST(PngHeaderTest, SidesAreFromOneToTwoToThe31) {
  EXPECT_EQ(Read(MadePng(0x7FFFFFFF, 1)), "2147483647 x 1");
  EXPECT_EQ(Read(MadePng(0, 5)),
            "the PNG data has a size of 5 x 0 pixels; each side must be in [1, "
            "2147483647]");
  EXPECT_THAT(Read(MadePng(5, 0)), HasSubstr("0 x 5 pixels"));
  EXPECT_THAT(Read(MadePng(1, 0x80000000)), HasSubstr("2147483648 x 1 pixels"));
}

TEST(PngHeaderTest, ChunksMustReachTheEnd) {
  const std::string png = MadePng(60, 40);
  EXPECT_THAT(Read(png.substr(0, png.size() - 1)), HasSubstr("is truncated"));
  EXPECT_THAT(Read(png.substr(0, 8) + PngChunk("IDAT", "") + png.substr(8)),
              HasSubstr("does not begin with an image header"));
  EXPECT_THAT(Read(png.substr(0, 33) + "\xFF\xFF\xFF\xFFtEXt" + png.substr(33)),
              HasSubstr("is truncated"));
}

TEST(JpegHeaderTest, FillAndGarbageBetweenSegmentsAreSkipped) {
  const std::string frame = JpegFrame(60, 40);
  EXPECT_EQ(Read(JpegOf(frame + JpegScan())), "60 x 40");
  EXPECT_EQ(Read(JpegOf("\xFF\xFF\xFF" + frame + "junk" + JpegScan())),
            "60 x 40");
  EXPECT_EQ(Read(JpegOf(JpegSegment(0xFE, "\xFF\xC0 in a comment") + frame +
                        JpegScan() + std::string("pixels\xFF\0more", 12))),
            "60 x 40");
}

TEST(JpegHeaderTest, EveryKindOfFrameIsOne) {
  for (const int marker : {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCA, 0xCF}) {
    EXPECT_EQ(Read(JpegOf(JpegFrame(60, 40, 3, 8, marker))), "60 x 40");
  }
  for (const int marker : {0xC4, 0xC8, 0xCC}) {
    EXPECT_EQ(Read(JpegOf(JpegFrame(60, 40, 3, 8, marker))),
              "the JPEG data has no frame header");
  }
}

TEST(JpegHeaderTest, WhatADecoderMightReadOtherwiseIsRefused) {
  const std::string frame = JpegFrame(60, 40);
  const std::map<std::string, std::string> refusals = {
      {JpegOf(frame + frame), "has two frame headers"},
      {JpegOf(JpegFrame(60, 40, 4)), "is CMYK; grey and RGB images are read"},
      {JpegOf(JpegFrame(60, 40, 2)), "has 2 channels; 1 and 3 are read"},
      {JpegOf(JpegFrame(60, 40, 3, 12)), "has 12 bits per sample; 8 are read"},
      {JpegOf(JpegFrame(0, 40)), "has a size of 40 x 0 pixels"},
      {JpegOf(JpegSegment(0xC0, "")), "has a frame header of the wrong length"},
      {JpegOf(JpegScan()), "has no frame header"},
      {JpegOf(""), "has no frame header"},
      {"\xFF\xD8" + frame + JpegScan() + "pixels",
       "ends before its end marker: it is truncated"},
      {JpegOf(frame + std::string("\xFF\xDA\0\1", 4)),
       "is damaged or truncated between its segments"},
      {JpegOf(frame + std::string("\xFF\xFE\xFF\xFF", 4)),
       "is damaged or truncated between its segments"},
      {JpegOf("\xFF\xD8" + frame),
       "is damaged or truncated between its segments"}};
  for (const auto& [bytes, reason] : refusals) {
    EXPECT_THAT(Read(bytes), HasSubstr("the JPEG data " + reason));
  }
}

TEST(JpegHeaderTest, AHundredScansAreEnough) {
  std::string scans;
  for (int i = 0; i < 100; ++i) scans += JpegScan();
  EXPECT_EQ(Read(JpegOf(JpegFrame(60, 40) + scans)), "60 x 40");
  EXPECT_EQ(Read(JpegOf(JpegFrame(60, 40) + scans + JpegScan())),
            "the JPEG data has more than 100 scans");
}

TEST(WebpHeaderTest, ReadsTheThreeKindsOfFirstChunk) {
  // RFC 6386: frame tag of a key frame, start code, 14 bits each.
  const std::string lossy =
      std::string("\x10\0\0\x9D\x01\x2A", 6) + std::string("\x28\x40\x3C\0", 4);
  EXPECT_EQ(Read(WebpOf({{"VP8 ", lossy}})), "60 x 40");
  // 14 bits of width - 1, 14 of height - 1.
  const std::string lossless =
      "\x2F" + Bytes(39 | (59 << 14), 4, ByteOrder::kLittle);
  EXPECT_EQ(Read(WebpOf({{"VP8L", lossless}})), "60 x 40");
  EXPECT_EQ(Read(MadeWebp(60, 40)), "60 x 40");
  EXPECT_EQ(Read(MadeWebp(1 << 24, 1 << 24)), "16777216 x 16777216");
}

TEST(WebpHeaderTest, WhatIsNoStillImageIsRefused) {
  const std::map<std::string, std::string> refusals = {
      {WebpOf({{"VP8X", WebpCanvas(60, 40, 0x02)}}),
       "is animated; still images are read"},
      {WebpOf({{"VP8X", "short"}}), "has a short extended header"},
      {WebpOf({{"VP8 ", "short"}}), "ends before its frame header"},
      {WebpOf({{"VP8 ", std::string("\x11\0\0\x9D\x01\x2A\1\0\1\0", 10)}}),
       "has no key frame"},
      {WebpOf({{"VP8 ", std::string("\x10\0\0\x9D\x01\x2A\0\0\1\0", 10)}}),
       "has a size of 0 x 1 pixels"},
      {WebpOf({{"VP8L", "\x2E    "}}), "has no lossless frame header"},
      {WebpOf({{"ICCP", ""}}), "begins with a chunk of unknown type"},
      {WebpOf({}), "ends before its first chunk does"}};
  for (const auto& [bytes, reason] : refusals) {
    EXPECT_THAT(Read(bytes), HasSubstr("the WebP data " + reason));
  }
  const std::string whole = MadeWebp(60, 40);
  EXPECT_EQ(Read(whole.substr(0, whole.size() - 1)),
            "the WebP data is shorter than its header says: it is truncated");
}

TEST(BmpHeaderTest, EveryLengthOfHeaderIsRead) {
  for (const uint32_t header_size : {12, 40, 52, 56, 64, 108, 124}) {
    EXPECT_EQ(
        Read(MadeBmp({.header_size = header_size, .height = 6, .width = 4},
                     6 * 12)),
        "6 x 4");
  }
  EXPECT_EQ(Read(MadeBmp({.height = -6, .width = 4}, 6 * 12)), "6 x 4");
  for (const uint32_t header_size : {0, 13, 39, 125}) {
    EXPECT_EQ(Read(MadeBmp({.header_size = header_size}, 4)),
              absl::StrCat("the BMP data has a header of ", header_size,
                           " bytes; 12 and 40 to 124 are known"));
  }
}

TEST(BmpHeaderTest, RowsArePaddedToFourBytesAndMustAllBeThere) {
  // 5 pixels of 24 bits: 15 bytes, padded to 16.
  EXPECT_EQ(Read(MadeBmp({.height = 3, .width = 5}, 48)), "3 x 5");
  EXPECT_EQ(Read(MadeBmp({.height = 3, .width = 5}, 47)),
            "the BMP data is truncated: it holds 2 of 3 rows");
  EXPECT_EQ(Read(MadeBmp({.height = 3, .width = 33, .bits = 1}, 24)), "3 x 33");
  EXPECT_EQ(Read(MadeBmp({.height = 3, .width = 33, .bits = 1}, 23)),
            "the BMP data is truncated: it holds 2 of 3 rows");
}

TEST(BmpHeaderTest, TheSmallestHeightIsNoTrap) {
  EXPECT_THAT(Read(MadeBmp({.height = INT32_MIN, .width = 1}, 4)),
              HasSubstr("1 x 2147483648 pixels"));
  EXPECT_THAT(Read(MadeBmp({.height = 1, .width = -1}, 4)),
              HasSubstr("-1 x 1 pixels"));
}

TEST(BmpHeaderTest, CompressionsAndFieldsThatAreNotReadAreNamed) {
  const std::map<std::string, std::string> refusals = {
      {MadeBmp({.bits = 8, .compression = 1}, 4), "has compression 1; 0"},
      {MadeBmp({.bits = 2}, 4), "has 2 bits per pixel with compression 0"},
      {MadeBmp({.bits = 24, .compression = 3}, 4),
       "has 24 bits per pixel with compression 3"},
      {MadeBmp(
           {.bits = 32, .compression = 3, .masks = {0xFF, 0xFF00, 0xFF0000}},
           4),
       "has bit fields in an order that is not read"},
      {MadeBmp({.bits = 16, .compression = 3, .masks = {0xF000, 0xF00, 0xF0}},
               4),
       "has bit fields in an order that is not read"}};
  for (const auto& [bytes, reason] : refusals) {
    EXPECT_THAT(Read(bytes), HasSubstr("the BMP data " + reason));
  }
}

TEST(TiffHeaderTest, ReadsBothByteOrdersAndBothIntegerTypes) {
  for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
    std::vector<TiffField> fields = GreyTiff(6, 4);
    EXPECT_EQ(Read(TiffOf(fields, order)), "6 x 4");
    fields = With(fields, {.tag = 256, .value = 4});
    fields = With(fields, {.tag = 257, .value = 6});
    EXPECT_EQ(Read(TiffOf(fields, order)), "6 x 4");
  }
}

TEST(TiffHeaderTest, WhatIsNotReadIsNamed) {
  const auto invalid = [](const TiffField& field) {
    return TiffOf(With(GreyTiff(6, 4), field));
  };
  std::vector<TiffField> twice = GreyTiff(6, 4);
  twice.insert(twice.begin(), twice[0]);
  std::vector<TiffField> colourless = GreyTiff(6, 4);
  colourless.erase(colourless.begin() + 4);
  const std::map<std::string, std::string> refusals = {
      {TiffOf(twice), "holds tag 256 twice"},
      {TiffOf(colourless), "does not say how its samples become colours"},
      {invalid({.tag = 256, .value = 0}), "has a size of 0 x 6 pixels"},
      {invalid({.tag = 256, .type = 5, .value = 8}), "holds tag 256 as type 5"},
      {invalid({.tag = 256, .count = 0}), "holds 0 values for tag 256"},
      {invalid({.tag = 258, .count = 3, .value = 9999}),
       "ends before the values of tag 258"},
      {invalid({.tag = 258, .value = 4}), "has 4 bits per sample"},
      {invalid({.tag = 258, .value = 32}), "has 32 bits per sample"},
      {invalid({.tag = 262, .value = 5}), "is CMYK"},
      {invalid({.tag = 262, .value = 8}), "has photometric interpretation 8"},
      {invalid({.tag = 277, .value = 2}), "has 2 samples per pixel, not 1"},
      {invalid({.tag = 322, .value = 5000}), "has tiles of 5000 x 1 pixels"},
      {invalid({.tag = 339, .value = 3}),
       "has signed or floating-point samples"}};
  for (const auto& [bytes, reason] : refusals) {
    EXPECT_THAT(Read(bytes), HasSubstr("the TIFF data " + reason));
  }
}

TEST(TiffHeaderTest, ADirectoryBeyondTheEndIsRefused) {
  const std::string tiff = MadeTiff(6, 4);
  for (const uint32_t start : {1000U, 0xFFFFFFF0U, 0xFFFFFFFFU}) {
    std::string moved = tiff;
    moved.replace(4, 4, Bytes(start, 4, ByteOrder::kLittle));
    EXPECT_EQ(Read(moved),
              "the TIFF data ends before its first directory does");
  }
}

}  // namespace
}  // namespace saliency::image_header_test
