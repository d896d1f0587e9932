#include "core/image/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/base/input_config.h"

namespace saliency::text_test {
namespace {

Image Paper(int64_t height, int64_t width) {
  Image image{.height = height, .width = width};
  image.rgb.assign(3 * height * width, 255);
  return image;
}

// The smallest rectangle around pixels at least half as dark as black.
PixelRect InkBox(const Image& image) {
  int64_t top = image.height;
  int64_t left = image.width;
  int64_t bottom = 0;
  int64_t right = 0;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      if (image.rgb[3 * (y * image.width + x)] >= 128) continue;
      top = std::min(top, y);
      left = std::min(left, x);
      bottom = std::max(bottom, y + 1);
      right = std::max(right, x + 1);
    }
  }
  return {.y = top, .x = left, .height = bottom - top, .width = right - left};
}

TEST(DrawableTextTest, WhatCannotBeDrawnIsOneQuestionMarkEach) {
  EXPECT_EQ(DrawableText("tabby, 93.2 %"), "tabby, 93.2 %");
  EXPECT_EQ(DrawableText("caf\u00e9 \u732b \U0001f98a"),
            "caf\u00e9 \u732b \U0001f98a");
  EXPECT_EQ(DrawableText("caf\xE9 \xC3"), "caf? ?");
  EXPECT_EQ(DrawableText("a\u202eb\u0085"), "a?b?");
  EXPECT_EQ(DrawableText("a\nb\tc\x7F"), "a?b?c?");
  EXPECT_EQ(DrawableText(absl::string_view("\0x", 2)), "?x");
  EXPECT_EQ(DrawableText(""), "");
}

bool SameInk(const std::string& a, const std::string& b) {
  Image of_a = Paper(40, 100);
  Image of_b = Paper(40, 100);
  const TextStyle style{.capital_height = 12};
  EXPECT_TRUE(DrawText(a, style, 20, 10, of_a).ok());
  EXPECT_TRUE(DrawText(b, style, 20, 10, of_b).ok());
  return of_a.rgb == of_b.rgb;
}

TEST(DrawTextTest, LettersOfOtherScriptsAreDrawnAsThemselves) {
  if (!DrawsAllScripts()) GTEST_SKIP() << "fonts-dejavu-core is not installed";
  for (const char* letter :
       {"\u00e9", "\u0153", "\u0429", "\u03a9", "\u05d0", "\u2192"}) {
    SCOPED_TRACE(letter);
    EXPECT_FALSE(SameInk(letter, "?"));
    EXPECT_FALSE(SameInk(letter, "e"));
    EXPECT_FALSE(SameInk(letter, "\U0010fffd")) << "no box";
  }
  EXPECT_FALSE(SameInk("e\u0301", "e")) << "accents that stand alone";
  EXPECT_TRUE(SameInk("e\ufe0f", "e")) << "selectors are invisible";
  EXPECT_FALSE(SameInk("\U0010fffd", "")) << "what no font has is a box";
}

TEST(FitTextTest, CutsBetweenCharacters) {
  const TextStyle style;
  const std::string text = "\u0449\u0443\u043a\u0430 caf\u00e9 na\u00efve";
  for (int64_t width = 0; width < TextWidth(text, style); ++width) {
    const std::string fitting = FitText(text, style, width);
    EXPECT_EQ(DrawableText(fitting), fitting) << "no half characters";
    EXPECT_LE(TextWidth(fitting, style), width);
  }
}

TEST(TextWidthTest, GrowsWithTheTextAndWithItsHeight) {
  const TextStyle style;
  EXPECT_EQ(TextWidth("", style), 0);
  int64_t last = 0;
  for (const char* text : {"i", "il", "ill", "illu", "illum"}) {
    EXPECT_GT(TextWidth(text, style), last);
    last = TextWidth(text, style);
  }
  const TextStyle twice{.capital_height = 2 * style.capital_height};
  EXPECT_NEAR(static_cast<double>(TextWidth("norm_grad @ layer4", twice)),
              2.0 * TextWidth("norm_grad @ layer4", style), 4);
}

TEST(FitTextTest, ReturnsWhatFitsWhole) {
  const TextStyle style;
  const std::string text = "norm_grad @ layer4";
  EXPECT_EQ(FitText(text, style, TextWidth(text, style)), text);
  EXPECT_EQ(FitText("caf\u00e9\n", style, 1000), "caf\u00e9?");
}

TEST(FitTextTest, CutsAsLittleAsPossibleAndSaysSo) {
  const TextStyle style;
  const std::string text = "selective norm grad @ layer4";
  for (int64_t width = 0; width < TextWidth(text, style); ++width) {
    SCOPED_TRACE(width);
    const std::string fitting = FitText(text, style, width);
    if (fitting.empty()) {
      EXPECT_LT(width, TextWidth("...", style));
      continue;
    }
    EXPECT_LE(TextWidth(fitting, style), width);
    ASSERT_GE(fitting.size(), 3U);
    EXPECT_EQ(fitting.substr(fitting.size() - 3), "...");
    const size_t kept = fitting.size() - 3;
    EXPECT_EQ(fitting.substr(0, kept), text.substr(0, kept));
    // Another letter, but for a space that ends the line, would not fit.
    const size_t more = text[kept] == ' ' ? kept + 2 : kept + 1;
    EXPECT_GT(TextWidth(text.substr(0, more) + "...", style), width);
  }
}

TEST(DrawTextTest, CapitalsHaveTheirHeightAndLieAroundTheirMiddle) {
  for (const double capital_height : {7.0, 9.0, 12.0, 20.0}) {
    for (const TextWeight weight : {TextWeight::kRegular, TextWeight::kBold}) {
      SCOPED_TRACE(capital_height);
      Image paper = Paper(60, 200);
      ASSERT_TRUE(DrawText("HEH",
                           {.capital_height = capital_height, .weight = weight},
                           30, 20, paper)
                      .ok());
      const PixelRect box = InkBox(paper);
      // The pen's own width comes on top of the letter's outline.
      EXPECT_NEAR(static_cast<double>(box.height), capital_height,
                  1 + 0.2 * capital_height);
      EXPECT_NEAR(box.y + box.height / 2.0, 30, 1);
    }
  }
}

TEST(DrawTextTest, BeginsAtItsEdgeAndIsAsWideAsMeasured) {
  for (const char* text : {"HHH", "norm_grad @ layer4", "93.2 %"}) {
    SCOPED_TRACE(text);
    const TextStyle style{.capital_height = 12};
    Image paper = Paper(60, 400);
    ASSERT_TRUE(DrawText(text, style, 30, 50, paper).ok());
    const PixelRect box = InkBox(paper);
    EXPECT_GE(box.x, 49);
    EXPECT_LE(box.x, 53);
    EXPECT_LE(box.x + box.width, 50 + TextWidth(text, style) + 1);
    EXPECT_GE(box.x + box.width, 50 + TextWidth(text, style) - 4);
  }
}

TEST(DrawTextTest, StrokesReachTheirColour) {
  const Rgb blue = {20, 60, 200};
  for (const double capital_height : {7.0, 9.0, 14.0}) {
    Image paper = Paper(60, 200);
    ASSERT_TRUE(DrawText("norm_grad",
                         {.capital_height = capital_height, .colour = blue}, 30,
                         20, paper)
                    .ok());
    int nearest = 255;
    for (size_t i = 0; i < paper.rgb.size(); i += 3) {
      int furthest = 0;
      for (int c = 0; c < 3; ++c) {
        furthest = std::max(furthest, std::abs(paper.rgb[i + c] - blue[c]));
      }
      nearest = std::min(nearest, furthest);
    }
    EXPECT_LE(nearest, 40) << "capitals of " << capital_height << " are pale";
  }
}

TEST(DrawTextTest, BoldIsBolder) {
  const auto ink = [](TextWeight weight) {
    Image paper = Paper(40, 200);
    EXPECT_TRUE(
        DrawText("HHH", {.capital_height = 14, .weight = weight}, 20, 20, paper)
            .ok());
    int64_t sum = 0;
    for (const uint8_t value : paper.rgb) sum += 255 - value;
    return sum;
  };
  EXPECT_GT(ink(TextWeight::kBold), 1.2 * ink(TextWeight::kRegular));
}

TEST(DrawTextTest, WhatLiesOutsideTheImageIsNotDrawn) {
  for (const int64_t y : {-1000, -10, 0, 3, 30, 1000}) {
    for (const int64_t x : {-1000, -30, 0, 25, 1000}) {
      Image small = Paper(20, 30);
      ASSERT_TRUE(DrawText("norm_grad", {}, y, x, small).ok());
      // The same as a window of a large image.
      Image large = Paper(2200, 2300);
      ASSERT_TRUE(DrawText("norm_grad", {}, y + 1090, x + 1090, large).ok());
      for (int64_t row = 0; row < 20; ++row) {
        EXPECT_TRUE(std::equal(&small.rgb[3 * row * 30],
                               &small.rgb[3 * row * 30] + 90,
                               &large.rgb[3 * ((row + 1090) * 2300 + 1090)]))
            << "row " << row << " at " << y << ", " << x;
      }
    }
  }
}

TEST(DrawTextTest, EmptyTextDrawsNothing) {
  Image paper = Paper(20, 30);
  ASSERT_TRUE(DrawText("", {}, 10, 10, paper).ok());
  EXPECT_EQ(paper.rgb, Paper(20, 30).rgb);
}

}  // namespace
}  // namespace saliency::text_test
