#include "core/engine/run/cascade_stages.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::cascade_stages_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(CascadeStagesTest, FirstLevelModulesFromTheOutputBackwards) {
  EXPECT_THAT(DefaultStages({"conv1.weight", "bn1.weight", "bn1.bias",
                             "layer1.0.conv1.weight", "layer1.1.conv1.weight",
                             "layer2.0.conv1.weight", "fc.weight", "fc.bias"}),
              ElementsAre("fc", "layer2", "layer1", "bn1", "conv1"));
}

TEST(CascadeStagesTest, AFewContainersGiveWayToWhatTheyHold) {
  EXPECT_THAT(DefaultStages({"features.0.weight", "features.0.bias",
                             "features.3.weight", "features.6.weight",
                             "classifier.0.weight", "classifier.3.weight"}),
              ElementsAre("classifier.3", "classifier.0", "features.6",
                          "features.3", "features.0"));
  // A classifier that is a layer itself stays what it is.
  EXPECT_THAT(
      DefaultStages({"features.conv0.weight", "features.block.0.conv.weight",
                     "features.block.1.conv.weight", "features.norm.weight",
                     "classifier.weight"}),
      ElementsAre("classifier", "features.norm", "features.block",
                  "features.conv0"));
}

TEST(CascadeStagesTest, AWrapperIsLookedThrough) {
  EXPECT_THAT(
      DefaultStages({"net.body.a.weight", "net.body.b.weight",
                     "net.body.c.weight", "net.body.d.0.weight",
                     "net.body.d.1.weight"}),
      ElementsAre("net.body.d", "net.body.c", "net.body.b", "net.body.a"));
}

TEST(CascadeStagesTest, SmallNetsHaveFewStages) {
  EXPECT_THAT(DefaultStages({"conv.weight", "conv.bias", "fc.weight"}),
              ElementsAre("fc", "conv"));
  EXPECT_THAT(DefaultStages({"scale"}), IsEmpty());
  EXPECT_THAT(DefaultStages({}), IsEmpty());
}

TEST(CascadeStagesTest, AnyModuleWithParametersMayBeNamed) {
  const std::vector<std::string> parameters = {"layer1.0.conv1.weight",
                                               "fc.bias"};
  EXPECT_TRUE(
      CheckStages({"fc", "layer1.0.conv1", "layer1.0", "layer1"}, parameters)
          .ok());
  const absl::Status unknown = CheckStages({"layer2"}, parameters);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("nearest: \"layer1\""));
  EXPECT_EQ(CheckStages({"fc.bias"}, parameters).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(CheckStages({"fc", "layer1", "fc"}, parameters),
            absl::InvalidArgumentError("stages names \"fc\" twice"));
}

}  // namespace
}  // namespace saliency::cascade_stages_test
