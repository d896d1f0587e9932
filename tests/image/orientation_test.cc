#include "core/image/orientation.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/image/golden_images.h"
#include "tests/image/made_images.h"

namespace saliency::orientation_test {
namespace {

// Where pixel (y, x) of a stored image of `height` x `width` is seen. Source:
// Exif 2.32, tag 274: which side of the scene the 0th row and column show.
std::pair<int64_t, int64_t> SeenAt(int tag_value, int64_t y, int64_t x,
                                   int64_t height, int64_t width) {
  const int64_t from_bottom = height - 1 - y;
  const int64_t from_right = width - 1 - x;
  switch (tag_value) {
    case 2:  // row 0 is the top, column 0 the right-hand side
      return {y, from_right};
    case 3:  // bottom, right
      return {from_bottom, from_right};
    case 4:  // bottom, left
      return {from_bottom, x};
    case 5:  // left, top
      return {x, y};
    case 6:  // right, top
      return {x, from_bottom};
    case 7:  // right, bottom
      return {from_right, from_bottom};
    case 8:  // left, bottom
      return {from_right, y};
    default:  // top, left
      return {y, x};
  }
}

TEST(OrientationTest, EveryPixelGoesWhereExifSays) {
  const std::pair<int64_t, int64_t> sizes[] = {{1, 1}, {1, 9},   {9, 1},
                                               {5, 7}, {64, 64}, {130, 67}};
  for (const auto& [height, width] : sizes) {
    const Image stored = NoiseImage(height, width, 1);
    for (int tag_value = 1; tag_value <= 8; ++tag_value) {
      SCOPED_TRACE(testing::Message()
                   << tag_value << " of " << height << " x " << width);
      const Image seen = Orient(stored, OrientationFromTag(tag_value));
      ASSERT_EQ(seen.height, tag_value >= 5 ? width : height);
      ASSERT_EQ(seen.width, tag_value >= 5 ? height : width);
      ASSERT_EQ(seen.rgb.size(), stored.rgb.size());
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          const auto [to_y, to_x] = SeenAt(tag_value, y, x, height, width);
          for (int64_t c = 0; c < 3; ++c) {
            ASSERT_EQ(seen.rgb[3 * (to_y * seen.width + to_x) + c],
                      stored.rgb[3 * (y * width + x) + c])
                << "stored at " << y << ", " << x;
          }
        }
      }
    }
  }
}

TEST(OrientationTest, NumbersThatExifDoesNotHaveMeanUpright) {
  for (const uint32_t number : {0U, 9U, 0x80000006U, 0xFFFFFFFFU}) {
    EXPECT_EQ(OrientationFromTag(number), Orientation::kUpright);
  }
}

std::string ExifWith(const TiffField& field, ByteOrder order) {
  return TiffOf({{.tag = 271, .type = 2, .count = 4, .value = 'x'}, field},
                order);
}

TEST(ExifTest, TheTagIsFoundInBothByteOrdersWithAndWithoutThePrefix) {
  const std::string prefix("Exif\0\0", 6);
  for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
    for (uint32_t number = 1; number <= 8; ++number) {
      const std::string exif = ExifWith({.tag = 274, .value = number}, order);
      EXPECT_EQ(ReadExifOrientation(exif), OrientationFromTag(number));
      EXPECT_EQ(ReadExifOrientation(prefix + exif), OrientationFromTag(number));
    }
  }
}

TEST(ExifTest, ADamagedHintIsNoHint) {
  constexpr ByteOrder kOrder = ByteOrder::kBig;
  const std::string exif = ExifWith({.tag = 274, .value = 6}, kOrder);
  ASSERT_EQ(ReadExifOrientation(exif), Orientation::kTurnRight);
  for (size_t size = 0; size < 8 + 2 + 2 * 12; ++size) {
    EXPECT_EQ(ReadExifOrientation(exif.substr(0, size)), Orientation::kUpright);
  }
  for (const TiffField& field :
       {TiffField{.tag = 275, .value = 6}, TiffField{.tag = 274, .value = 9},
        TiffField{.tag = 274, .type = 7, .value = 6},
        TiffField{.tag = 274, .count = 2, .value = 6}}) {
    EXPECT_EQ(ReadExifOrientation(ExifWith(field, kOrder)),
              Orientation::kUpright);
  }
  EXPECT_EQ(ReadExifOrientation("Exif"), Orientation::kUpright);
}

}  // namespace
}  // namespace saliency::orientation_test
