// The command over a server whose maps lose half of their correlation with each
// of two stages.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/weight_sensitivity_metrics.h"
#include "client/cli/interrupt.h"
#include "core/image/image.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::weight_sensitivity_command_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class WeightSensitivityCommandTest : public testing::Test {
 protected:
  WeightSensitivityCommandTest() {
    for (int i = 0; i < 3; ++i) {
      images_.push_back(
          folder_.AddImage(absl::StrCat("images/", i, ".png"), 32, 48));
    }
  }

  std::vector<std::string> Command(const FakeServer& server,
                                   std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {
        "evaluate",  "weight-sensitivity", "--server", server.address(),
        "--out-dir", folder_.path("out"),  "-m",       "norm_grad",
        "-m",        "grad_cam",           "-l",       "layer1"};
    command.insert(command.end(), images_.begin(), images_.end());
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  TestFolder folder_;
  std::vector<std::string> images_;
};

TEST_F(WeightSensitivityCommandTest, WritesTablesAndPlotsByStage) {
  const FakeServer server;
  const RunResult result = RunCommand(Command(server));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("| made random | norm_grad @ layer1 | grad_cam @ "
                        "layer1 |"));
  EXPECT_THAT(result.out, HasSubstr("| as it is | 1.000 +- 0.000 | 1.000"));
  EXPECT_THAT(result.out, HasSubstr("| fc | 0.500 +- 0.000 |"));
  EXPECT_THAT(result.out, HasSubstr("| + layer1 | - (3 undefined) |"));
  EXPECT_THAT(result.out, HasSubstr("absolute"));
  for (const char* plot : {"correlation.png", "absolute_correlation.png"}) {
    EXPECT_TRUE(
        ReadImageHeader(ReadAll(folder_.path("out/" + std::string(plot)))).ok())
        << plot;
  }
  EXPECT_THAT(ReadAll(folder_.path("out/summary.csv")),
              HasSubstr("norm_grad @ layer1,1,fc,0.500000,0.000000,0.750000,"
                        "0.000000,3,0\n"));
  const auto requests = server.weight_requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].model().name(), "tiny");
  EXPECT_EQ(requests[0].output().named_size(), v1::NAMED_SIZE_MODEL_INPUT);
  EXPECT_EQ(requests[0].output().encoding(), v1::MAP_ENCODING_NONE);
  EXPECT_FALSE(requests[0].has_step());
  EXPECT_FALSE(std::filesystem::exists(folder_.path("out/0_sheet.png")));
}

TEST_F(WeightSensitivityCommandTest, FlagsReachTheServer) {
  const FakeServer server;
  const RunResult result = RunCommand(Command(
      server, {"--seed", "7", "--stage", "fc", "--stage", "layer1", "-t",
               "tabby", "--meta", "--epsilon", "0.01", "--json"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_THAT(std::string(json["title"]),
              HasSubstr("seed=7 targets=tabby stages=fc,layer1 methods="));
  EXPECT_EQ(json["stages"], nlohmann::json({"as it is", "fc", "layer1"}));
  EXPECT_EQ(json["results"][1]["absolute_correlation"]["mean"], 0.75);
  const auto request = server.weight_requests()[0];
  EXPECT_EQ(request.seed(), 7U);
  EXPECT_THAT(request.stages(), ElementsAre("fc", "layer1"));
  EXPECT_EQ(request.targets(0).label(), "tabby");
  EXPECT_EQ(request.step().epsilon(), 0.01);
}

TEST_F(WeightSensitivityCommandTest, SheetsShowMapsByStage) {
  const FakeServer server;
  const RunResult result = RunCommand(Command(server, {"--sheet"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (int i = 0; i < 3; ++i) {
    const std::string sheet =
        ReadAll(folder_.path(absl::StrCat("out/", i, "_sheet.png")));
    const auto image = DecodeImage(sheet, DecodeLimits());
    ASSERT_TRUE(image.ok()) << image.status();
    // Three stages by two methods, each as large as the model's input.
    EXPECT_GT(image->width, 3 * 48);
    EXPECT_GT(image->height, 2 * 32);
  }
  EXPECT_EQ(server.weight_requests()[0].output().encoding(),
            v1::MAP_ENCODING_FLOAT32);
}

TEST_F(WeightSensitivityCommandTest, ImagesOfOneNameHaveASheetEach) {
  images_ = {folder_.AddImage("a/1.png", 32, 48),
             folder_.AddImage("b/1.png", 48, 32)};
  const FakeServer server;
  const RunResult result = RunCommand(Command(server, {"--sheet"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::string first = ReadAll(folder_.path("out/1_sheet.png"));
  const std::string second = ReadAll(folder_.path("out/1-2_sheet.png"));
  EXPECT_TRUE(ReadImageHeader(first).ok());
  EXPECT_TRUE(ReadImageHeader(second).ok());
  EXPECT_NE(first, second);
}

// The usual stages, but that norm_grad fails at one of them.
FakeServer::WeightStages FailingAt(int stage) {
  return [stage](auto&, const v1::MeasureWeightSensitivityRequest& request,
                 std::vector<v1::MeasureWeightSensitivityResponse>& stages) {
    const grpc::Status status = RampsOfStages(request, stages);
    v1::WeightSensitivity& first = *stages.at(stage).mutable_maps(0);
    first.clear_correlation();
    first.clear_absolute_correlation();
    v1::ResultStatus& failed = *first.mutable_map()->mutable_status();
    failed.set_code(grpc::StatusCode::INVALID_ARGUMENT);
    failed.set_message("does not apply");
    return status;
  };
}

// Pushes back `calls` times, then gives the usual stages.
FakeServer::WeightStages BusyFirst(int calls) {
  const auto left = std::make_shared<std::atomic<int>>(calls);
  return [left](grpc::ServerContext& context,
                const v1::MeasureWeightSensitivityRequest& request,
                std::vector<v1::MeasureWeightSensitivityResponse>& stages) {
    if ((*left)-- <= 0) return RampsOfStages(request, stages);
    return PushBack(context, 1);
  };
}

TEST_F(WeightSensitivityCommandTest, AMethodThatDoesNotApplyIsAnError) {
  FakeServer server;
  server.SetWeightStages(FailingAt(0));
  const RunResult result = RunCommand(Command(server, {"--sheet"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("0.png: norm_grad @ layer1: does not apply\n"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path("out/summary.md")));
}

TEST_F(WeightSensitivityCommandTest, AMapThatFailsLaterIsUndefined) {
  FakeServer server;
  server.SetWeightStages(FailingAt(1));
  const RunResult result = RunCommand(Command(server));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("| fc | - (3 undefined) | 0.500 +- 0.000 |"));
}

TEST_F(WeightSensitivityCommandTest, WaitsWhileTheServerIsBusy) {
  FakeServer server;
  server.SetWeightStages(BusyFirst(7));
  const RunResult result = RunCommand(Command(server));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("3 images"));
  EXPECT_EQ(server.weight_requests().size(), 10U);
}

TEST_F(WeightSensitivityCommandTest, AnInterruptEndsTheWait) {
  Interrupt interrupt;
  FakeServer server;
  // The last of gRPC's own attempts; the next one would be in an hour.
  server.SetWeightStages(
      [&, calls = 0](grpc::ServerContext& context, const auto&, auto&) mutable {
        const bool last = ++calls == 5;
        if (last) interrupt.Raise();
        return PushBack(context, last ? 3'600'000 : 0);
      });
  const RunResult result =
      RunCommand(Command(server, {"--timeout", "2h"}), interrupt);
  EXPECT_EQ(result.exit_code, 1) << result.err;
}

TEST_F(WeightSensitivityCommandTest, ASecondRunMeasuresNothingTwice) {
  const FakeServer server;
  ASSERT_EQ(RunCommand(Command(server)).exit_code, 0);
  const std::string summary = ReadAll(folder_.path("out/summary.md"));
  ASSERT_EQ(RunCommand(Command(server)).exit_code, 0);
  EXPECT_EQ(server.weight_requests().size(), 3U);
  EXPECT_EQ(ReadAll(folder_.path("out/summary.md")), summary);
}

TEST_F(WeightSensitivityCommandTest, WrongUsageSaysWhatIsWrong) {
  const FakeServer server;
  RunResult result = RunCommand(Command(server, {"--epsilon", "0.1"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--meta"));
  images_.clear();
  result = RunCommand(Command(server));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("IMAGE is missing"));
}

TEST(WeightSensitivityMetricsTest, RowsComeBackAsTheyWere) {
  const StageCorrelation measured = {.image = "a,b",
                                     .target = 2,
                                     .method = "norm_grad",
                                     .layer = "layer1",
                                     .stage = 3,
                                     .module = "layer4",
                                     .correlation = 1.0 / 3};
  const auto back =
      ParseWeightSensitivityRow(WeightSensitivityRow(measured)).value();
  EXPECT_EQ(back.image, "a,b");
  EXPECT_EQ(back.target, 2);
  EXPECT_EQ(back.stage, 3);
  EXPECT_EQ(back.module, "layer4");
  EXPECT_EQ(back.correlation, 1.0 / 3);
  EXPECT_EQ(back.absolute_correlation, std::nullopt);
  for (const char* stage : {"-1", "x", "99999999999"}) {
    std::vector<std::string> row = WeightSensitivityRow(measured);
    row[4] = stage;
    EXPECT_FALSE(ParseWeightSensitivityRow(row).ok()) << stage;
  }
}

}  // namespace
}  // namespace saliency::weight_sensitivity_command_test
