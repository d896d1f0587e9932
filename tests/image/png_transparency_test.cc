// PNG's transparency keys: at each colour type and depth, interlaced or not, a
// pixel that the key names is white and no other is.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/image/image.h"
#include "gtest/gtest.h"
#include "tests/image/made_images.h"

namespace saliency::png_transparency_test {
namespace {

constexpr int kGrey = 0;
constexpr int kRgb = 2;
constexpr int kPalette = 3;
constexpr int kSide = 17;  // no multiple of a byte's pixels, nor of Adam7's

using Pixel = std::vector<uint32_t>;  // its samples

uint32_t Crc32(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (0xEDB88320U & (0U - (crc & 1U)));
    }
  }
  return ~crc;
}

std::string Chunk(const std::string& type, const std::string& data) {
  const ByteOrder big = ByteOrder::kBig;
  return absl::StrCat(Bytes(static_cast<uint32_t>(data.size()), 4, big), type,
                      data, Bytes(Crc32(type + data), 4, big));
}

// zlib without compression.  REQUIRES: fewer than 2^16 bytes.
std::string Stored(const std::string& data) {
  uint32_t a = 1;
  uint32_t b = 0;
  for (const char c : data) {
    a = (a + static_cast<uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<uint32_t>(data.size());
  return absl::StrCat("\x78\x01\x01", Bytes(size, 2, ByteOrder::kLittle),
                      Bytes(~size & 0xFFFFU, 2, ByteOrder::kLittle), data,
                      Bytes(b << 16 | a, 4, ByteOrder::kBig));
}

// The rows of one pass: each a filter byte, then samples packed into bytes.
std::string PackRows(const std::vector<std::vector<Pixel>>& rows, int bits) {
  std::string packed;
  for (const std::vector<Pixel>& row : rows) {
    if (row.empty()) continue;
    packed += '\0';
    uint32_t pending = 0;
    int pending_bits = 0;
    for (const Pixel& pixel : row) {
      for (const uint32_t sample : pixel) {
        if (bits >= 8) {
          packed += Bytes(sample, bits / 8, ByteOrder::kBig);
          continue;
        }
        pending = pending << bits | sample;
        pending_bits += bits;
        if (pending_bits < 8) continue;
        packed += static_cast<char>(pending);
        pending = pending_bits = 0;
      }
    }
    if (pending_bits > 0) {
      packed += static_cast<char>(pending << (8 - pending_bits));
    }
  }
  return packed;
}

struct Sheet {
  int bits = 8;
  int colour_type = kGrey;
  std::vector<Pixel> pixels;  // kSide x kSide
};

std::string PixelData(const Sheet& sheet, bool interlaced) {
  // Adam7: first row, first column, step down, step right.
  using Pass = std::array<int, 4>;
  const std::vector<Pass> passes =
      interlaced ? std::vector<Pass>{{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4},
                                     {0, 2, 4, 4}, {2, 0, 4, 2}, {0, 1, 2, 2},
                                     {1, 0, 2, 1}}
                 : std::vector<Pass>{{0, 0, 1, 1}};
  std::string data;
  for (const auto& [top, left, down, right] : passes) {
    std::vector<std::vector<Pixel>> rows;
    for (int y = top; y < kSide; y += down) {
      rows.emplace_back();
      for (int x = left; x < kSide; x += right) {
        rows.back().push_back(sheet.pixels[y * kSide + x]);
      }
    }
    data += PackRows(rows, sheet.bits);
  }
  return data;
}

// `keys` are whole chunks between header (or palette) and pixels.
std::string Png(const Sheet& sheet, const std::string& keys, bool interlaced) {
  const ByteOrder big = ByteOrder::kBig;
  const std::string header =
      absl::StrCat(Bytes(kSide, 4, big), Bytes(kSide, 4, big),
                   Bytes(sheet.bits, 1, big), Bytes(sheet.colour_type, 1, big),
                   std::string(2, '\0'), Bytes(interlaced ? 1 : 0, 1, big));
  return absl::StrCat("\x89PNG\r\n\x1A\n", Chunk("IHDR", header), keys,
                      Chunk("IDAT", Stored(PixelData(sheet, interlaced))),
                      Chunk("IEND", ""));
}

Sheet MakeSheet(int colour_type, int bits) {
  Sheet sheet = {.bits = bits, .colour_type = colour_type};
  const uint32_t levels = 1U << bits;
  for (uint32_t i = 0; i < kSide * kSide; ++i) {
    // Neighbours differ by one: a key must not take its neighbour along.
    const uint32_t level = bits == 16 ? (i * 40 + i % 3) % levels : i % levels;
    if (colour_type == kRgb) {
      sheet.pixels.push_back({level, levels - 1 - level, level / 2});
    } else {
      sheet.pixels.push_back({level});
    }
  }
  return sheet;
}

std::array<uint8_t, 3> Shown(const Pixel& pixel, int bits) {
  const uint32_t largest = (1U << bits) - 1;
  std::array<uint8_t, 3> rgb;
  for (int c = 0; c < 3; ++c) {
    const uint32_t sample = pixel[pixel.size() == 3 ? c : 0];
    rgb[c] = static_cast<uint8_t>((sample * 255U + largest / 2) / largest);
  }
  return rgb;
}

using Colours = std::vector<std::array<uint8_t, 3>>;

void ExpectImage(const std::string& png, const Colours& expected) {
  const absl::StatusOr<Image> image = DecodeImage(png, DecodeLimits());
  ASSERT_TRUE(image.ok()) << image.status();
  ASSERT_EQ(image->rgb.size(), 3 * expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    for (int c = 0; c < 3; ++c) {
      ASSERT_EQ(int{image->rgb[3 * i + c]}, int{expected[i][c]})
          << "pixel " << i << " channel " << c;
    }
  }
}

std::string Samples(const Pixel& pixel) {
  std::string samples;
  for (const uint32_t sample : pixel) {
    samples += Bytes(sample, 2, ByteOrder::kBig);
  }
  return samples;
}

void ExpectKeyIsWhite(int colour_type, int bits) {
  const Sheet sheet = MakeSheet(colour_type, bits);
  for (const int at : {0, 1, 20}) {
    const Pixel& key = sheet.pixels[at];
    Colours expected;
    for (const Pixel& pixel : sheet.pixels) {
      expected.push_back(pixel == key ? std::array<uint8_t, 3>{255, 255, 255}
                                      : Shown(pixel, bits));
    }
    for (const bool interlaced : {false, true}) {
      SCOPED_TRACE(absl::StrCat("type ", colour_type, ", ", bits, " bits, key ",
                                at, interlaced ? ", interlaced" : ""));
      ExpectImage(Png(sheet, Chunk("tRNS", Samples(key)), interlaced),
                  expected);
    }
  }
}

TEST(PngTransparencyTest, AGreyKeyIsWhiteAtEachDepth) {
  for (const int bits : {1, 2, 4, 8, 16}) ExpectKeyIsWhite(kGrey, bits);
}

TEST(PngTransparencyTest, AColourKeyIsWhiteAtEachDepth) {
  for (const int bits : {8, 16}) ExpectKeyIsWhite(kRgb, bits);
}

TEST(PngTransparencyTest, APaletteIsLaidOverWhiteByItsTableAtEachDepth) {
  for (const int bits : {1, 2, 4, 8}) {
    const Sheet sheet = MakeSheet(kPalette, bits);
    std::string palette;
    std::string alphas;  // shorter than the palette: the rest is opaque
    Colours colours;
    for (int i = 0; i < 1 << bits; ++i) {
      const std::array<uint8_t, 3> colour = {static_cast<uint8_t>(17 * i),
                                             static_cast<uint8_t>(90 + i),
                                             static_cast<uint8_t>(255 - i)};
      palette.append(colour.begin(), colour.end());
      const bool has_alpha = i < (bits == 1 ? 1 : 3);
      const int alpha = has_alpha ? 100 * i : 255;
      if (has_alpha) alphas += static_cast<char>(alpha);
      colours.emplace_back();
      for (int c = 0; c < 3; ++c) {
        colours.back()[c] = static_cast<uint8_t>(
            (colour[c] * alpha + 255 * (255 - alpha) + 127) / 255);
      }
    }
    Colours expected;
    for (const Pixel& pixel : sheet.pixels) {
      expected.push_back(colours[pixel[0]]);
    }
    for (const bool interlaced : {false, true}) {
      SCOPED_TRACE(absl::StrCat(bits, " bits", interlaced ? ", i" : ""));
      ExpectImage(Png(sheet, Chunk("PLTE", palette) + Chunk("tRNS", alphas),
                      interlaced),
                  expected);
    }
  }
}

TEST(PngTransparencyTest, WithoutAKeyThatApplies) {
  const Sheet sheet = MakeSheet(kGrey, 8);
  Colours plain;
  for (const Pixel& pixel : sheet.pixels) plain.push_back(Shown(pixel, 8));
  ExpectImage(Png(sheet, "", false), plain);
  ExpectImage(Png(sheet, Chunk("tRNS", "\5"), false), plain);
  // Behind the pixels it says nothing.
  const std::string png = Png(sheet, "", false);
  const std::string end = Chunk("IEND", "");
  ExpectImage(png.substr(0, png.size() - end.size()) +
                  Chunk("tRNS", Samples(sheet.pixels[1])) + end,
              plain);
}

}  // namespace
}  // namespace saliency::png_transparency_test
