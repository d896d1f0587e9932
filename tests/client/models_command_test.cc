#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency::models_command_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(ModelsCommandTest, ListsModelsVersionsAndStates) {
  const FakeServer server;
  const RunResult result = RunCommand({"models", "--server", server.address()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out,
            "MODEL   VERSION  STATE   MESSAGE\n"
            "tiny    3        ready\n"
            "broken  1        failed  not a TorchScript file\n");
}

TEST(ModelsCommandTest, OneModelInDetail) {
  const FakeServer server;
  const RunResult result =
      RunCommand({"models", "tiny", "--server", server.address()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, ContainsRegex("labels +3\n"));
  EXPECT_THAT(result.out, HasSubstr("squash to 32x48"));
  EXPECT_THAT(result.out, ContainsRegex("layer2 +Conv2d +8x16x24 +cut\n"));
  EXPECT_THAT(result.out, ContainsRegex("grad_cam +no +all\n"));
  EXPECT_THAT(result.out, ContainsRegex("calibrated +yes\n"));
  EXPECT_THAT(result.out,
              HasSubstr("calibrated 2024-05-31T12:00:00Z on 100 images of 3 "
                        "classes: scenes\n"));
  EXPECT_THAT(result.out, ContainsRegex("layer1 +0.25 +-\n"));
  EXPECT_THAT(result.out, ContainsRegex("layer3 +0.5 +0.875\n"));
}

TEST(ModelsCommandTest, JsonIsOneObjectPerModel) {
  const FakeServer server;
  const auto lines =
      RunCommand({"models", "--json", "--server", server.address()})
          .out_lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["versions"][0]["state"], "failed");
  const auto detail =
      nlohmann::json::parse(RunCommand({"models", "--model", "tiny", "--json",
                                        "--server", server.address()})
                                .out);
  EXPECT_EQ(detail["labels"].size(), 3U);
  EXPECT_EQ(detail["layers"][2]["shape"].dump(), "[8,16,24]");
  EXPECT_EQ(detail["methods"][1]["name"], "grad_cam");
  EXPECT_EQ(detail["layer_weights"]["layers"][1].dump(),
            "{\"classification_accuracy\":0.875,\"feature_spread\":0.5,"
            "\"layer\":\"layer3\"}");
}

// Zero classes and an input of 0x0 would look like metadata.
TEST(ModelsCommandTest, OfAModelThatIsLoadedOnlyItsStateIsTold) {
  const FakeServer server;
  const RunResult text =
      RunCommand({"models", "slow", "--server", server.address()});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_EQ(text.out,
            "slow/2 is not ready yet: its layers, methods and input are known "
            "when it is\n"
            "\n"
            "VERSION  STATE    MESSAGE\n"
            "2        loading\n");
  const auto json = nlohmann::json::parse(
      RunCommand({"models", "slow", "--json", "--server", server.address()})
          .out);
  EXPECT_EQ(json.size(), 3U) << json;
  EXPECT_EQ(json["name"], "slow");
  EXPECT_EQ(json["version"], 2);
  EXPECT_EQ(json["versions"][0]["state"], "loading");
}

TEST(ModelsCommandTest, UnknownModelIsExitCodeOne) {
  const FakeServer server;
  const RunResult result =
      RunCommand({"models", "huge", "--server", server.address()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "saliency: model not found; nearest: \"tiny\": see the models "
            "with: saliency models\n");
}

}  // namespace
}  // namespace saliency::models_command_test
