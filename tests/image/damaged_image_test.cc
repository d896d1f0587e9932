// Images that something happened to on the way: nothing crashes, nothing is
// guessed, and no library speaks to the caller.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/image/image.h"
#include "tests/image/golden_images.h"

namespace saliency::damaged_image_test {
namespace {

constexpr DecodeLimits kSmall = {.max_bytes = 1 << 20, .max_pixels = 1 << 18};

// "": the answer is an image within the limits or a refusal in our own words.
std::string WhatIsWrongWith(const absl::StatusOr<Image>& answer) {
  if (answer.ok()) {
    const int64_t pixels = answer->height * answer->width;
    const bool fits = answer->height >= 1 && answer->width >= 1 &&
                      pixels <= kSmall.max_pixels &&
                      static_cast<int64_t>(answer->rgb.size()) == 3 * pixels;
    return fits ? "" : absl::StrCat(answer->height, " x ", answer->width);
  }
  if (answer.status().code() != absl::StatusCode::kInvalidArgument) {
    return answer.status().ToString();
  }
  const absl::string_view message = answer.status().message();
  for (const char* foreign :
       {"OpenCV", "cv::", "lib", ".cpp", "rror", "xception", "\n", "/"}) {
    if (absl::StrContains(message, foreign)) return std::string(message);
  }
  const bool is_ours =
      absl::StartsWith(message, "image ") || absl::StartsWith(message, "the ");
  return is_ours ? "" : absl::StrCat("\"", message, "\"");
}

// Decoders print a line about most of these images: thousands of them would
// hide what a test has to say.
class DamagedImageTest : public testing::Test {
 protected:
  void SetUp() override { testing::internal::CaptureStderr(); }
  void TearDown() override { testing::internal::GetCapturedStderr(); }
};

TEST_F(DamagedImageTest, EveryTruncationIsRefusedUnlessNoPixelWasLost) {
  for (const std::string& name : DecodableNames()) {
    SCOPED_TRACE(name);
    const std::string bytes = ReadGolden("decode/" + name);
    const Image whole = DecodeImage(bytes, {}).value();
    for (size_t size = 0; size < bytes.size(); ++size) {
      const absl::StatusOr<Image> part =
          DecodeImage(absl::string_view(bytes).substr(0, size), kSmall);
      ASSERT_EQ(WhatIsWrongWith(part), "") << size << " bytes";
      if (part.ok()) {
        const Difference difference = MaxDifference(*part, whole);
        ASSERT_EQ(difference.max, 0)
            << size << " of " << bytes.size() << " bytes: " << difference;
      }
    }
  }
}

TEST_F(DamagedImageTest, EveryByteMayChange) {
  std::mt19937 random(1);
  for (const char* folder : {"decode", "refuse"}) {
    for (const std::string& name : GoldenNames(folder, "")) {
      if (absl::EndsWith(name, ".ppm")) continue;
      SCOPED_TRACE(name);
      std::string bytes = ReadGolden(absl::StrCat(folder, "/", name));
      for (size_t i = 0; i < bytes.size(); ++i) {
        const char before = bytes[i];
        for (const int change : {1, 1 + static_cast<int>(random() % 255)}) {
          bytes[i] = static_cast<char>(before ^ change);
          ASSERT_EQ(WhatIsWrongWith(DecodeImage(bytes, kSmall)), "")
              << "byte " << i << " xor " << change;
        }
        bytes[i] = before;
      }
    }
  }
}

// Bytes removed, repeated, and taken from another file of any format.
TEST_F(DamagedImageTest, PiecesMayBeMixed) {
  std::mt19937 random(2);
  const auto below = [&](size_t end) { return random() % (end + 1); };
  std::vector<std::string> files;
  for (const std::string& name : DecodableNames()) {
    files.push_back(ReadGolden("decode/" + name));
  }
  for (int trial = 0; trial < 50'000; ++trial) {
    const std::string& a = files[random() % files.size()];
    const std::string& b = files[random() % files.size()];
    const size_t from = below(b.size());
    std::string mixed = a.substr(0, below(a.size()));
    mixed += b.substr(from, below(b.size() - from));
    mixed += a.substr(below(a.size()));
    ASSERT_EQ(WhatIsWrongWith(DecodeImage(mixed, kSmall)), "")
        << "trial " << trial;
  }
}

TEST_F(DamagedImageTest, TheHeaderIsReadWheneverTheImageIs) {
  std::mt19937 random(3);
  for (const std::string& name : DecodableNames()) {
    SCOPED_TRACE(name);
    std::string bytes = ReadGolden("decode/" + name);
    for (size_t i = 0; i < bytes.size(); i += 7) {
      const char before = bytes[i];
      bytes[i] = static_cast<char>(random());
      const absl::StatusOr<Image> image = DecodeImage(bytes, kSmall);
      const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
      if (image.ok()) {
        ASSERT_TRUE(header.ok()) << header.status();
        EXPECT_EQ(header->height * header->width, image->height * image->width);
      }
      bytes[i] = before;
    }
  }
}

}  // namespace
}  // namespace saliency::damaged_image_test
