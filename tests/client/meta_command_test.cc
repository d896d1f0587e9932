#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/npy.h"
#include "tests/client/command_fixture.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::meta_command_test {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MetaCommandTest : public CommandFixture {
 protected:
  // `meta` against the fake.
  static RunResult Meta(const FakeServer& server,
                        std::vector<std::string> arguments) {
    return RunOn(server, "meta", std::move(arguments));
  }
};

TEST_F(MetaCommandTest, AnImageAloneTakesTheDefaultStep) {
  const FakeServer server;
  const RunResult result = Meta(server, {cat_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              StartsWith(cat_ + ": tabby (281) 93.2 %, score 14.25, meta "
                                "norm_grad @ layer4, point y=5 x=8, "));
  EXPECT_THAT(result.out, Not(HasSubstr("correlation")));
  EXPECT_THAT(result.out, EndsWith(" ms\n"));
  const v1::MetaSaliencyRequest request = server.meta_requests()[0];
  EXPECT_EQ(request.input().image(), ReadAll(cat_));
  EXPECT_FALSE(request.step().has_epsilon());
  EXPECT_EQ(request.step().direction(), v1::META_DIRECTION_DESCENT);
  EXPECT_EQ(request.step().loss(), v1::META_LOSS_UNSPECIFIED);
  EXPECT_FALSE(request.plain_maps());
}

TEST_F(MetaCommandTest, FlagsBecomeTheRequest) {
  const FakeServer server;
  const RunResult result = Meta(server, {cat_,
                                         "--method",
                                         "grad_cam",
                                         "--layer",
                                         "layer2",
                                         "-l",
                                         "layer4",
                                         "--target",
                                         "7",
                                         "--model",
                                         "tiny",
                                         "--size",
                                         "24x32",
                                         "--score",
                                         "softmax",
                                         "--top-k",
                                         "2",
                                         "--epsilon",
                                         "0",
                                         "--direction",
                                         "ascent",
                                         "--loss",
                                         "binary_cross_entropy",
                                         "--plain",
                                         "--correlation"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const v1::MetaSaliencyRequest request = server.meta_requests()[0];
  EXPECT_EQ(request.model().name(), "tiny");
  EXPECT_EQ(request.targets(0).class_index(), 7);
  EXPECT_EQ(request.score(), v1::SCORE_SOFTMAX);
  EXPECT_EQ(request.top_k(), 2);
  EXPECT_EQ(request.output().explicit_size().width(), 32);
  ASSERT_EQ(request.attributions_size(), 1);
  EXPECT_THAT(request.attributions(0).layers(),
              ElementsAre("layer2", "layer4"));
  EXPECT_TRUE(request.step().has_epsilon());
  EXPECT_EQ(request.step().epsilon(), 0);
  EXPECT_EQ(request.step().direction(), v1::META_DIRECTION_ASCENT);
  EXPECT_EQ(request.step().loss(), v1::META_LOSS_BINARY_CROSS_ENTROPY);
  EXPECT_TRUE(request.plain_maps());
  EXPECT_TRUE(request.plain_correlation());
}

TEST_F(MetaCommandTest, PlainMapsFollowTheSteppedOnesWithTheirCorrelation) {
  const FakeServer server;
  const auto lines = Meta(server, {cat_, "-l", "layer1", "-l", "layer2",
                                   "--plain", "--correlation"})
                         .out_lines();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_THAT(lines[0], HasSubstr("meta norm_grad @ layer1"));
  EXPECT_THAT(lines[0], HasSubstr("correlation with plain -0.2500, "));
  EXPECT_THAT(lines[1], HasSubstr(", norm_grad @ layer1"));
  EXPECT_THAT(lines[1], Not(HasSubstr("correlation")));
  EXPECT_THAT(lines[2], HasSubstr("meta norm_grad @ layer2"));
  // The fake leaves the second layer's undefined.
  EXPECT_THAT(lines[2], HasSubstr("correlation with plain undefined, "));
}

TEST_F(MetaCommandTest, AStreamTellsTheSame) {
  const FakeServer server;
  const std::vector<std::string> flags = {
      cat_, "-l", "layer1", "-l", "layer2", "--plain", "--correlation"};
  std::vector<std::string> streamed = flags;
  streamed.emplace_back("--stream");
  const auto told = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> lines = Meta(server, arguments).out_lines();
    for (std::string& line : lines) line.resize(line.rfind(", "));  // the time
    return lines;
  };
  const std::vector<std::string> alone = told(flags);
  EXPECT_EQ(alone.size(), 4U);
  EXPECT_EQ(told(streamed), alone);
  EXPECT_EQ(server.streams(), 1);
}

TEST_F(MetaCommandTest, JsonTellsStepAndCorrelation) {
  const FakeServer server;
  const auto lines = Meta(server, {cat_, "-l", "layer1", "-l", "layer2",
                                   "--plain", "--correlation", "--json"})
                         .out_lines();
  ASSERT_EQ(lines.size(), 4U);
  const auto stepped = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(stepped["method"], "norm_grad");
  EXPECT_EQ(stepped["meta"], true);
  EXPECT_EQ(stepped["plain_correlation"], -0.25);
  const auto plain = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(plain["method"], "norm_grad");
  EXPECT_EQ(plain["meta"], false);
  EXPECT_FALSE(plain.contains("plain_correlation"));
  EXPECT_TRUE(nlohmann::json::parse(lines[2])["plain_correlation"].is_null());
}

TEST_F(MetaCommandTest, OutDirTellsSteppedFilesFromPlainOnes) {
  const FakeServer server;
  const std::string out = folder_.path("out");
  const RunResult result =
      Meta(server, {cat_, "--plain", "-o", out, "--save", "npy"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(out)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, ElementsAre("cat_281-tabby_meta_norm_grad_layer4.npy",
                                 "cat_281-tabby_norm_grad_layer4.npy"));
  EXPECT_EQ(ReadAll(out + "/cat_281-tabby_norm_grad_layer4.npy"),
            EncodeNpy(6, 9, RampMap(6, 9)));
}

TEST_F(MetaCommandTest, OneOverlayCannotHoldThePlainMapToo) {
  const FakeServer server;
  const std::string overlay = folder_.path("overlay.png");
  EXPECT_EQ(Meta(server, {cat_, "--overlay", overlay}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(overlay));
  const RunResult result =
      Meta(server, {cat_, "--overlay", overlay, "--plain"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--out-dir"));
}

TEST_F(MetaCommandTest, WrongStepsAreWrongUsage) {
  const FakeServer server;
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--epsilon", "1.5"}, "--epsilon"},
      {{"--epsilon", "-0.1"}, "--epsilon"},
      {{"--direction", "up"}, "descent, ascent"},
      {{"--loss", "hinge"}, "cross_entropy, binary_cross_entropy"}};
  for (const auto& [flags, message] : cases) {
    std::vector<std::string> arguments = {cat_};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const RunResult result = Meta(server, arguments);
    EXPECT_EQ(result.exit_code, 2) << flags[0] << " " << flags[1];
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_THAT(result.err, HasSubstr("saliency meta --help"));
  }
  EXPECT_TRUE(server.meta_requests().empty());
}

}  // namespace
}  // namespace saliency::meta_command_test
