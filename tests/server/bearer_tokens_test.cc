#include "server/security/bearer_tokens.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::bearer_tokens_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(BearerTokensTest, EveryLineIsAToken) {
  const BearerTokens tokens =
      BearerTokens::Parse("first\r\n\n# a comment\n  sec-ond._~+/9==  ")
          .value();
  EXPECT_EQ(tokens.size(), 2);
  EXPECT_TRUE(tokens.Contains("first"));
  EXPECT_TRUE(tokens.Contains("sec-ond._~+/9=="));
}

TEST(BearerTokensTest, TheFileMayComeFromAnyEditor) {
  for (const char* text : {"\xEF\xBB\xBF"
                           "first\r\nsecond\r\n",
                           "first\rsecond", "\xEF\xBB\xBF# x\rfirst\nsecond"}) {
    const BearerTokens tokens = BearerTokens::Parse(text).value();
    EXPECT_EQ(tokens.size(), 2);
    EXPECT_TRUE(tokens.Contains("first"));
    EXPECT_TRUE(tokens.Contains("second"));
  }
  EXPECT_THAT(std::string(BearerTokens::Parse(absl::string_view("\xFF\xFE"
                                                                "f\0",
                                                                4))
                              .status()
                              .message()),
              HasSubstr("must be saved as UTF-8"));
}

TEST(BearerTokensTest, NothingElseIsATokenThanTheWholeLine) {
  const BearerTokens tokens = BearerTokens::Parse("first\nsecond\n").value();
  for (const char* shown :
       {"", "firs", "first ", "First", "firstsecond", "first\nsecond", "# a"}) {
    EXPECT_FALSE(tokens.Contains(shown)) << shown;
  }
}

TEST(BearerTokensTest, AWrongLineIsNamedAndNotShown) {
  for (const char* wrong : {"my secret",
                            "s\xC3\xA9"
                            "cret",
                            "secret,", "==", "sec=ret"}) {
    const auto tokens = BearerTokens::Parse(absl::StrCat("good\n", wrong));
    EXPECT_EQ(tokens.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(tokens.status().message()), HasSubstr("line 2 "));
    EXPECT_THAT(std::string(tokens.status().message()),
                Not(HasSubstr("secret")));
  }
}

TEST(BearerTokensTest, NoTokenAtAllIsAnError) {
  for (const char* text : {"", "\n \n", "# only a comment\n"}) {
    EXPECT_THAT(std::string(BearerTokens::Parse(text).status().message()),
                HasSubstr("holds no token"));
  }
}

TEST(BearerTokensTest, TheirNumberIsBounded) {
  std::string text;
  for (int i = 0; i < 1024; ++i) absl::StrAppend(&text, "t", i, "\n");
  ASSERT_TRUE(BearerTokens::Parse(text).ok());
  EXPECT_TRUE(BearerTokens::Parse(text)->Contains("t1023"));
  EXPECT_FALSE(BearerTokens::Parse(text + "more").ok());
}

}  // namespace
}  // namespace saliency::bearer_tokens_test
