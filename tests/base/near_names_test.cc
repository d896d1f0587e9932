#include "core/base/near_names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::near_names_test {
namespace {

using ::testing::ElementsAre;

const std::vector<std::string> kLayers = {"input",    "conv1",  "layer1",
                                          "layer1.0", "layer4", "fc"};

TEST(NearNamesTest, NearestComeFirstAndTiesKeepTheirOrder) {
  EXPECT_THAT(NearNames("layer9", kLayers),
              ElementsAre("layer1", "layer4", "layer1.0"));
}

TEST(NearNamesTest, NamesThatStandTwiceAreNamedOnce) {
  const std::vector<std::string> labels = {"ant", "crane", "cat", "crane"};
  EXPECT_THAT(NearNames("crone", labels), ElementsAre("crane", "ant", "cat"));
}

TEST(NearNamesTest, FewerKnownNamesGiveFewer) {
  EXPECT_THAT(NearNames("x", std::vector<std::string>{"y"}), ElementsAre("y"));
  EXPECT_TRUE(NearNames("x", {}).empty());
}

TEST(NearNamesTest, MessageNamesTheThingAndItsNeighbours) {
  EXPECT_EQ(NotFoundMessage("layer", "fd", kLayers),
            "layer \"fd\" not found; nearest: \"fc\", \"input\", \"conv1\"");
}

TEST(NearNamesTest, CaseAndPunctuationDoNotCountInAFoldedName) {
  EXPECT_EQ(FoldedName("Grad-CAM"), "gradcam");
  EXPECT_EQ(FoldedName("grad_cam"), "gradcam");
  EXPECT_EQ(FoldedName("Grad CAM++"), "gradcam++");
  EXPECT_EQ(FoldedName("norm_grad_conv3x3"), "normgradconv3x3");
  EXPECT_EQ(FoldedName("_-\n"), "");
}

TEST(NearNamesTest, CallersTextIsEscapedAndCut) {
  EXPECT_EQ(Printable("a\n\x01"), "a\\n\\001");
  EXPECT_EQ(Printable(std::string(100, 'x'), 3), "xxx...");
}

TEST(NearNamesTest, TextOfAnyScriptIsShownAsItIs) {
  const std::string text =
      "caf\u00e9 \u732b \u0429\u0443\u043a\u0430 \U0001f98a cafe\u0301";
  EXPECT_EQ(Printable(text), text);
  EXPECT_EQ(
      NotFoundMessage("label", "\u732a", std::vector<std::string>{"\u732b"}),
      "label \"\u732a\" not found; nearest: \"\u732b\"");
}

TEST(NearNamesTest, WhatWouldTurnOrBreakALineIsEscaped) {
  EXPECT_EQ(Printable("\"\\"), "\\\"\\\\");
  EXPECT_EQ(Printable("\x1b[31m"), "\\033[31m");
  EXPECT_EQ(Printable("\u0085\u2028"), "\\302\\205\\342\\200\\250");
  EXPECT_EQ(Printable("\u202e"), "\\342\\200\\256");
  EXPECT_EQ(Printable("caf\xe9"), "caf\\351") << "no UTF-8";
  EXPECT_EQ(Printable("\xc3"), "\\303") << "half a character";
  EXPECT_EQ(Printable("\u732b\u732b\u732b", 2), "\u732b\u732b...")
      << "cut between characters";
}

}  // namespace
}  // namespace saliency::near_names_test
