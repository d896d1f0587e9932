#include "core/base/text_lines.h"

#include <string>

#include "core/base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::text_lines_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TextLinesTest, LinesEndInThreeWaysAndAMarkIsNoPartOfThem) {
  EXPECT_THAT(TextLines("a\nb\r\nc\rd").value(),
              ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(TextLines("\xEF\xBB\xBF"
                        "a\r\n")
                  .value(),
              ElementsAre("a"));
  EXPECT_THAT(TextLines("a\n\n\r\rb\n").value(),
              ElementsAre("a", "", "", "", "b"));
  EXPECT_THAT(TextLines("").value(), IsEmpty());
  EXPECT_THAT(TextLines("\xEF\xBB\xBF").value(), IsEmpty());
  EXPECT_THAT(TextLines("\n").value(), ElementsAre(""));
}

TEST(TextLinesTest, OtherEncodingsAreRefused) {
  for (const std::string& text :
       {std::string("\xFF\xFE"), std::string("\xFE\xFF\0a", 4),
        std::string("a\0", 2)}) {
    EXPECT_EQ(TextLines(text).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(PlainText(text).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Utf8Test, CharactersAreCountedAndNeverCut) {
  const std::string text = "a\u00e9\u732b\U0001f98a";  // 1 + 2 + 3 + 4 bytes
  EXPECT_EQ(Utf8Length(text), 4);
  const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
  for (size_t bytes = 0; bytes <= 10; ++bytes) {
    EXPECT_EQ(Utf8Prefix(text, bytes).size(), whole[bytes]) << bytes;
  }
  EXPECT_EQ(Utf8Length("\xff\xc3"), 2) << "each byte by itself";
}

TEST(Utf8Test, OnlyWhatUnicodeAllowsIsWellFormed) {
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
  EXPECT_TRUE(IsUtf8("a\u00e9\u732b\U0001f98a"));
  EXPECT_TRUE(IsUtf8(""));
}

}  // namespace
}  // namespace saliency::text_lines_test
