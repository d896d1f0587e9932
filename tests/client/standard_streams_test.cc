// "-" for standard input and output, in every command that takes an image or
// writes one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/cli/npy.h"
#include "core/image/image.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::standard_streams_test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class StandardStreamsTest : public ::testing::Test {
 protected:
  RunResult Run(std::vector<std::string> arguments,
                const std::string& input) const {
    arguments.insert(arguments.end(), {"--server", server_.address()});
    return RunCommand(arguments, {.input = input});
  }

  static void ExpectPng(const std::string& bytes, int64_t width) {
    const absl::StatusOr<Image> image = DecodeImage(bytes, DecodeLimits());
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->width, width);
  }

  const FakeServer server_;
  const TestFolder folder_;
  const std::string file_ = folder_.AddImage("cat.png", 120, 160);
  const std::string cat_ = ReadAll(file_);
};

TEST_F(StandardStreamsTest, AnImageComesFromStandardInput) {
  for (const char* command : {"explain", "combine", "meta"}) {
    const RunResult result = Run({command, "-"}, cat_);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith("stdin: tabby (281)"));
  }
  EXPECT_EQ(server_.requests()[0].input().image(), cat_);
  EXPECT_EQ(server_.combine_requests()[0].input().image(), cat_);
  EXPECT_EQ(server_.meta_requests()[0].input().image(), cat_);
}

TEST_F(StandardStreamsTest, ItMayStandAmongFilesAndOnAStream) {
  const RunResult result = Run({"explain", file_, "-", "--stream"}, cat_);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  ASSERT_EQ(result.out_lines().size(), 2U);
  EXPECT_THAT(result.out_lines()[0], StartsWith(file_ + ": "));
  EXPECT_THAT(result.out_lines()[1], StartsWith("stdin: "));
}

TEST_F(StandardStreamsTest, FilesOfItAreNamedAfterIt) {
  const std::string out = folder_.path("out");
  const RunResult result =
      Run({"explain", "-", "--out-dir", out, "--stream"}, cat_);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(
      std::filesystem::exists(out + "/stdin_281-tabby_norm_grad_layer4.png"));
}

TEST_F(StandardStreamsTest, AnOverlayGoesToStandardOutputAndWordsDoNot) {
  for (const char* command : {"explain", "combine", "meta"}) {
    const RunResult result = Run({command, "-", "--overlay", "-"}, cat_);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    ExpectPng(result.out, 160);
    EXPECT_THAT(result.err, StartsWith("stdin: tabby (281)"));
  }
}

TEST_F(StandardStreamsTest, NpyGoesToStandardOutput) {
  const RunResult one = Run({"explain", "-", "--npy", "-"}, cat_);
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(one.out, EncodeNpy(120, 160, RampMap(120, 160)));
  const RunResult two =
      Run({"explain", "-", file_, "--npy", "-", "--size", "layer"}, cat_);
  ASSERT_EQ(two.exit_code, 0) << two.err;
  EXPECT_THAT(two.out, StartsWith("\x93NUMPY"));
  EXPECT_THAT(two.out, HasSubstr("'shape': (2, "));
}

TEST_F(StandardStreamsTest, ASheetAndWeightsGoToStandardOutput) {
  const RunResult sheet = Run({"grid", "-", "-l", "layer4", "-m", "norm_grad",
                               "--cell-width", "100", "--out", "-"},
                              cat_);
  ASSERT_EQ(sheet.exit_code, 0) << sheet.err;
  EXPECT_TRUE(DecodeImage(sheet.out, DecodeLimits()).ok());
  EXPECT_THAT(sheet.err, HasSubstr("norm_grad @ layer4"));
}

TEST_F(StandardStreamsTest, WhatCannotBeIsRefused) {
  const std::vector<std::vector<std::string>> cases = {
      {"explain", "-", "-"},
      {"explain", "-", "--overlay", "-", "--json"},
      {"explain", "-", "--npy", "-", "--json"},
      {"explain", "-", "--npy", "-", "--overlay", "-"},
      {"explain", "-", "--out-dir", "-"},
      {"grid", "-", "--out", "-", "--json"},
  };
  for (const std::vector<std::string>& arguments : cases) {
    const RunResult result = Run(arguments, cat_);
    EXPECT_EQ(result.exit_code, 2) << arguments.back();
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("standard "));
  }
  const RunResult empty = Run({"explain", "-"}, "");
  EXPECT_EQ(empty.exit_code, 2);
  EXPECT_THAT(empty.err, HasSubstr("standard input (-) is empty"));
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(StandardStreamsTest, BenchAsksAboutIt) {
  const RunResult result =
      Run({"bench", "-", "--requests", "2", "--concurrency", "1"}, cat_);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(server_.requests()[0].input().image(), cat_);
}

}  // namespace
}  // namespace saliency::standard_streams_test
