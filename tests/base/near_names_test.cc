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

TEST(NearNamesTest, FewerKnownNamesGiveFewer) {
  EXPECT_THAT(NearNames("x", std::vector<std::string>{"y"}), ElementsAre("y"));
  EXPECT_TRUE(NearNames("x", {}).empty());
}

TEST(NearNamesTest, MessageNamesTheThingAndItsNeighbours) {
  EXPECT_EQ(NotFoundMessage("layer", "fd", kLayers),
            "layer \"fd\" not found; nearest: \"fc\", \"input\", \"conv1\"");
}

TEST(NearNamesTest, CallersTextIsEscapedAndCut) {
  EXPECT_EQ(Printable("a\n\x01"), "a\\n\\001");
  EXPECT_EQ(Printable(std::string(100, 'x'), 3), "xxx...");
}

}  // namespace
}  // namespace saliency::near_names_test
