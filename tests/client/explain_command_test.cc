#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/channel.h"
#include "client/cli/interrupt.h"
#include "client/cli/npy.h"
#include "core/image/image.h"
#include "tests/client/explain_fixture.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::explain_command_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using ExplainCommandTest = ExplainFixture;

TEST_F(ExplainCommandTest, PrintsClassScorePointAndTime) {
  const FakeServer server;
  const RunResult result = Explain(server, {cat_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith(cat_ + ": tabby (281) 93.2 %, score "
                                            "14.25, norm_grad @ layer4, point "
                                            "y=5 x=8, "));
  EXPECT_THAT(result.out, EndsWith(" ms\n"));
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(server.requests()[0].output().encoding(), v1::MAP_ENCODING_NONE)
      << "nobody wants pixels";
}

TEST_F(ExplainCommandTest, FlagsBecomeTheRequest) {
  const FakeServer server;
  const RunResult result = Explain(server, {"--method", "grad_cam",
                                            "-m",       "bias+sum",
                                            "--pair",   "conv1x1+norm",
                                            "--layer",  "layer2",
                                            "-l",       "input",
                                            "--target", "7",
                                            "-t",       "label:8",
                                            "--target", "bottom",
                                            cat_,       "--model",
                                            "tiny",     "--model-version",
                                            "3",        "--size",
                                            "24x32",    "--raw",
                                            "--smooth", "0.02",
                                            "--score",  "softmax",
                                            "--top-k",  "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out_lines().size(), 1U + 3 * 3 * 2);
  EXPECT_EQ(result.out_lines()[0], cat_ + ": top tabby (281) 93.2 %");
  const v1::ComputeSaliencyRequest request = server.requests()[0];
  EXPECT_EQ(request.model().name(), "tiny");
  EXPECT_EQ(request.model().version(), 3);
  ASSERT_EQ(request.attributions_size(), 3);
  EXPECT_EQ(request.attributions(0).method(), "grad_cam");
  EXPECT_EQ(request.attributions(1).pair().extract(), v1::EXTRACT_BIAS);
  EXPECT_EQ(request.attributions(2).pair().aggregate(), v1::AGGREGATE_NORM);
  EXPECT_THAT(request.attributions(2).layers(), ElementsAre("layer2", "input"));
  ASSERT_EQ(request.targets_size(), 3);
  EXPECT_EQ(request.targets(0).class_index(), 7);
  EXPECT_EQ(request.targets(1).label(), "8");
  EXPECT_TRUE(request.targets(2).has_rank_from_bottom());
  EXPECT_EQ(request.output().explicit_size().height(), 24);
  EXPECT_FALSE(request.output().normalise());
  EXPECT_FLOAT_EQ(request.output().smooth_sigma(), 0.02F);
  EXPECT_EQ(request.score(), v1::SCORE_SOFTMAX);
  EXPECT_EQ(request.top_k(), 2);
  EXPECT_EQ(request.input().image(), ReadAll(cat_));
}

TEST_F(ExplainCommandTest, FoldersBelowAreLookedIntoWhenAskedFor) {
  const FakeServer server;
  const TestFolder images;
  images.AddImage("day/cat.png", 4, 4);
  images.AddImage("night/cat.png", 4, 4);
  const std::string out = folder_.path("out");
  const RunResult result =
      Explain(server, {images.path(""), "-r", "--out-dir", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(FilesIn(out),
              ElementsAre("day_cat_281-tabby_norm_grad_layer4.png",
                          "night_cat_281-tabby_norm_grad_layer4.png"));
  EXPECT_EQ(Explain(server, {images.path("")}).exit_code, 2);
}

// A hundred images would fail alike.
TEST_F(ExplainCommandTest, WhatIsWrongWithTheQuestionIsToldOnce) {
  for (const char* field : {"targets[0].label", "output.encoding", "model"}) {
    const std::string message = absl::StrCat(field, ": is wrong");
    const FakeServer server([&](auto&, const auto&, auto&) {
      return InvalidField(field, "is wrong");
    });
    std::vector<std::string> arguments(50, cat_);
    arguments.insert(arguments.end(), {"--concurrency", "1"});
    const RunResult result = Explain(server, arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_LT(server.calls(), 50) << "those under way go on";
    EXPECT_THAT(result.err, StartsWith(absl::StrCat("saliency: ", message)));
    EXPECT_EQ(result.err.find(message, result.err.find(message) + 1),
              std::string::npos)
        << result.err;
  }
  for (const char* field : {"input.image", "output", "output.max_side"}) {
    const FakeServer server([&](auto&, const auto&, auto&) {
      return InvalidField(field, "is wrong");
    });
    Explain(server, {cat_, cat_, "--concurrency", "1"});
    EXPECT_EQ(server.calls(), 2) << field << ": the next image may be well";
  }
}

// "x: cannot read x: ...".
TEST_F(ExplainCommandTest, AFileThatCannotBeReadIsNamedOnce) {
  const FakeServer server;
  const std::string file = folder_.path("no.png");
  std::filesystem::create_symlink("/proc/self/mem", file);
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{}, {"--stream"}}) {
    std::vector<std::string> arguments = {cat_, file};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const RunResult result = Explain(server, arguments);
    EXPECT_EQ(result.exit_code, 3);
    const size_t first = result.err.find(file);
    ASSERT_NE(first, std::string::npos) << result.err;
    EXPECT_EQ(result.err.find(file, first + 1), std::string::npos)
        << result.err;
  }
}

TEST_F(ExplainCommandTest, TheServerIsToldWhatCanBeReceived) {
  const FakeServer server;
  ASSERT_EQ(Explain(server, {cat_}).exit_code, 0);
  EXPECT_EQ(server.requests()[0].output().max_answer_bytes(),
            ChannelOptions().max_receive_bytes);
}

TEST_F(ExplainCommandTest, JsonIsOneObjectPerResultInOrder) {
  const FakeServer server;
  const std::string dog = folder_.AddImage("dog.png", 5, 5);
  const auto lines =
      Explain(server, {cat_, dog, "-m", "a", "-m", "b", "--json"}).out_lines();
  ASSERT_EQ(lines.size(), 4U);
  const char* methods[] = {"a", "b", "a", "b"};
  for (int i = 0; i < 4; ++i) {
    const auto json = nlohmann::json::parse(lines[i]);
    EXPECT_EQ(json["image"], i < 2 ? cat_ : dog);
    EXPECT_EQ(json["method"], methods[i]);
    EXPECT_EQ(json["class"]["label"], "tabby");
  }
}

TEST_F(ExplainCommandTest, ImagesAreInFlightTogetherAndReportedInOrder) {
  // Each call waits for the other: sent one by one they would hang until the
  // deadline.
  std::atomic<int> inside = 0;
  const FakeServer server(
      [&](grpc::ServerContext& context, const auto& request, auto& response) {
        ++inside;
        while (inside < 2 && !context.IsCancelled()) std::this_thread::yield();
        return AnswerWithRamps(request, response);
      });
  for (const char* name : {"1.png", "2.png"}) {
    folder_.AddImage(std::string("pair/") + name, 5, 5);
  }
  const RunResult result =
      Explain(server, {folder_.path("pair"), "--concurrency", "2"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto lines = result.out_lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], HasSubstr("1.png: "));
  EXPECT_THAT(lines[1], HasSubstr("2.png: "));
  EXPECT_THAT(result.err, ContainsRegex("2/2 images"));
}

TEST_F(ExplainCommandTest, SomeBadImagesAreExitCodeThree) {
  const FakeServer server;
  const std::string bad = folder_.AddFile("bad.png", "no image");
  const std::string out = folder_.path("map.npy");
  const RunResult result = Explain(server, {bad, cat_, "--json", "--npy", out});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err,
              HasSubstr("saliency: " + bad + ": input.image: no image\n"));
  ASSERT_EQ(result.out_lines().size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(result.out_lines()[0])["error"]["code"],
            "INVALID_ARGUMENT");
  EXPECT_EQ(nlohmann::json::parse(result.out_lines()[0])["error"]["violations"],
            nlohmann::json::parse(
                R"([{"field": "input.image", "description": "no image"}])"));
  EXPECT_THAT(ReadAll(out), StartsWith(NpyHeader({2, 6, 9})))
      << "the bad one keeps its place";
  EXPECT_EQ(Explain(server, {bad}).exit_code, 1);
}

TEST_F(ExplainCommandTest, FailedMapsAreToldAndTheOthersPrinted) {
  const FakeServer server([](auto&, const auto& request, auto& response) {
    const grpc::Status status = AnswerWithRamps(request, response);
    response.mutable_maps(0)->mutable_status()->set_code(5);
    response.mutable_maps(0)->mutable_status()->set_message(
        "layer \"x\" not found");
    return status;
  });
  const RunResult result = Explain(server, {cat_, "-l", "x", "-l", "layer4"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out_lines().size(), 1U);
  EXPECT_THAT(result.err, HasSubstr("norm_grad @ x: layer \"x\" not found: see "
                                    "the layers with"));
}

TEST_F(ExplainCommandTest, ErrorThatConcernsAllImagesIsToldOnce) {
  const FakeServer server([](auto&, const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "token missing");
  });
  std::vector<std::string> many(40, cat_);
  const RunResult result = Explain(server, many);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_LT(server.calls(), 40);
  EXPECT_THAT(result.err,
              HasSubstr("token missing: give a valid token with --token-file"));
  EXPECT_THAT(result.err, ContainsRegex("stopped: [0-9]+ of 40 images"));
  EXPECT_EQ(
      absl::StrContains(result.err.substr(result.err.find("token missing") + 1),
                        "token missing"),
      false);
}

TEST_F(ExplainCommandTest, DefaultLayersThatGiveTwoMapsDoNotFitOneOverlay) {
  const FakeServer server(
      [](auto&, v1::ComputeSaliencyRequest request, auto& response) {
        request.mutable_attributions(0)->add_layers("a");
        request.mutable_attributions(0)->add_layers("b");
        return AnswerWithRamps(request, response);
      });
  const std::string out = folder_.path("overlay.png");
  const RunResult result = Explain(server, {cat_, "--overlay", out});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("name one --layer or use --out-dir"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(ExplainCommandTest, MapsOfAnotherSizeThanClaimedAreRefused) {
  const FakeServer server([](auto&, const auto& request, auto& response) {
    const grpc::Status status = AnswerWithRamps(request, response);
    response.mutable_maps(0)->mutable_data()->resize(5);
    return status;
  });
  const RunResult result =
      Explain(server, {cat_, "--npy", folder_.path("x.npy")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("malformed"));
}

TEST_F(ExplainCommandTest, InterruptSavesWhatIsDone) {
  Interrupt interrupt;
  std::atomic<int> calls = 0;
  const FakeServer server(
      [&](grpc::ServerContext& context, const auto& request, auto& response) {
        // The third image hangs: Ctrl-C while it is in flight.
        if (++calls < 3) return AnswerWithRamps(request, response);
        interrupt.Raise();
        while (!context.IsCancelled()) std::this_thread::yield();
        return grpc::Status(grpc::StatusCode::CANCELLED, "caller gone");
      });
  const std::string out = folder_.path("maps.npy");
  const RunResult result =
      RunCommand({"explain", cat_, cat_, cat_, cat_, cat_, "--concurrency", "1",
                  "--npy", out, "--server", server.address()},
                 interrupt);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out_lines().size(), 2U);
  EXPECT_THAT(result.err, HasSubstr("interrupted: 2 of 5 images done"));
  EXPECT_THAT(ReadAll(out), StartsWith(NpyHeader({3, 6, 9})));
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace saliency::explain_command_test
