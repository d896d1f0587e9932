// The command over a server that answers with correlations it was told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/evaluation_journal.h"
#include "client/cli/interrupt.h"
#include "core/image/image.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency::class_sensitivity_command_test {
namespace {

using testing::HasSubstr;
using testing::Not;

// 0.5 as the model is and -0.25 after a meta step; "layer2" is undefined.
grpc::Status Correlate(const v1::MeasureClassSensitivityRequest& request,
                       v1::MeasureClassSensitivityResponse& response) {
  const auto add = [&](const std::string& method, const std::string& layer,
                       int attribution) {
    v1::ClassSensitivity& measured = *response.add_measurements();
    measured.set_attribution(attribution);
    measured.set_method(method);
    measured.set_layer(layer);
    measured.mutable_most_likely()->set_class_index(2);
    if (layer != "layer2") {
      measured.set_correlation(request.has_step() ? -0.25 : 0.5);
    }
  };
  for (int i = 0; i < request.attributions_size(); ++i) {
    for (const std::string& layer : request.attributions(i).layers()) {
      add(request.attributions(i).method(), layer, i);
    }
  }
  for (int i = 0; i < request.combinations_size(); ++i) {
    add(request.combinations(i).attribution().method(), "", i);
  }
  return grpc::Status::OK;
}

class ClassSensitivityCommandTest : public testing::Test {
 protected:
  ClassSensitivityCommandTest() {
    for (int i = 0; i < 6; ++i) {
      folder_.AddImage(absl::StrCat("images/", i, ".png"), 6, 8);
    }
  }

  std::vector<std::string> Command(const FakeServer& server,
                                   const std::string& out,
                                   std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {"evaluate",
                                        "class-sensitivity",
                                        folder_.path("images"),
                                        "--server",
                                        server.address(),
                                        "--out-dir",
                                        folder_.path(out),
                                        "-m",
                                        "norm_grad",
                                        "-m",
                                        "grad_cam",
                                        "-l",
                                        "layer1",
                                        "-l",
                                        "layer2",
                                        "--concurrency",
                                        "2"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  // `before` runs ahead of each answer.
  static std::unique_ptr<FakeServer> Server(std::function<void()> before = [] {
  }) {
    return std::make_unique<FakeServer>(
        nullptr, nullptr, nullptr, nullptr,
        [before = std::move(before)](
            grpc::ServerContext&,
            const v1::MeasureClassSensitivityRequest& request,
            v1::MeasureClassSensitivityResponse& response) {
          before();
          return Correlate(request, response);
        });
  }

  TestFolder folder_;
};

TEST_F(ClassSensitivityCommandTest, WritesTablesAndAPlotOfPlainMaps) {
  const auto server = Server();
  const RunResult result = RunCommand(Command(*server, "out"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("6 images."));
  EXPECT_THAT(result.out, HasSubstr("| norm_grad | 0.500 +- 0.000 | - (6 "
                                    "undefined) |"));
  EXPECT_THAT(ReadAll(folder_.path("out/summary.csv")),
              HasSubstr("grad_cam,layer1,0,0,0.500000,0.000000,6,0\n"
                        "grad_cam,layer2,0,0,,,0,6\n"));
  const std::string plot = ReadAll(folder_.path("out/correlation.png"));
  EXPECT_TRUE(ReadImageHeader(plot).ok());
  EXPECT_FALSE(
      std::filesystem::exists(folder_.path("out/correlation_meta.png")));
  for (const auto& request : server->sensitivity_requests()) {
    EXPECT_FALSE(request.has_step());
    EXPECT_EQ(request.model().name(), "tiny");
    EXPECT_EQ(request.model().version(), 3);
  }
}

TEST_F(ClassSensitivityCommandTest, MetaMeasuresBoth) {
  const auto server = Server();
  const RunResult result =
      RunCommand(Command(*server, "out",
                         {"--meta", "--epsilon", "0.01", "--combination",
                          "linear+sum", "--json"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_THAT(std::string(json["title"]),
              HasSubstr("combinations=linear+sum meta=epsilon 0.01 descent"));
  int plain = 0;
  int stepped = 0;
  for (const auto& entry : json["results"]) {
    if (entry.value("layer", "") == "layer2") {
      EXPECT_EQ(entry["undefined"], 6);
      continue;
    }
    EXPECT_EQ(entry["mean"], entry["meta"] ? -0.25 : 0.5) << entry;
    ++(entry["meta"] ? stepped : plain);
  }
  EXPECT_EQ(plain, 2 * 2) << "methods by layer1 and the combination";
  EXPECT_EQ(stepped, 2 * 2);
  EXPECT_TRUE(
      std::filesystem::exists(folder_.path("out/correlation_meta.png")));
  EXPECT_EQ(server->sensitivity_requests().size(), 12U);
}

TEST_F(ClassSensitivityCommandTest, AVocFolderGivesItsSet) {
  std::filesystem::create_directories(folder_.path("voc/ImageSets/Main"));
  std::ofstream(folder_.path("voc/ImageSets/Main/val.txt")) << "b\na\n";
  for (const char* name : {"a", "b", "c"}) {
    folder_.AddImage(absl::StrCat("voc/JPEGImages/", name, ".png"), 6, 8);
  }
  const auto server = Server();
  auto command = Command(*server, "out", {"--set", "val"});
  command[2] = folder_.path("voc");
  const RunResult result = RunCommand(command);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("2 images."));
  EXPECT_THAT(result.out, HasSubstr("set=val"));
  EXPECT_THAT(
      ReadJournal(folder_.path("out/class_sensitivity.csv")).value().done,
      testing::ElementsAre("b", "a"));
}

TEST_F(ClassSensitivityCommandTest, AnInterruptedRunEndsLikeOneThatWasNot) {
  Interrupt interrupt;
  std::atomic<int> calls = 0;
  const auto server = Server([&] {
    if (++calls == 3) interrupt.Raise();
  });
  std::vector<std::string> one_by_one = Command(*server, "cut");
  one_by_one.back() = "1";  // so that what came before the third is done
  const RunResult cut = RunCommand(one_by_one, interrupt);
  EXPECT_EQ(cut.exit_code, 3) << cut.err;
  EXPECT_THAT(cut.err, HasSubstr("goes on from there"));
  EXPECT_EQ(RunCommand(Command(*server, "cut")).exit_code, 0);
  ASSERT_EQ(RunCommand(Command(*server, "whole")).exit_code, 0);
  for (const char* file : {"class_sensitivity.csv", "summary.md", "summary.csv",
                           "summary.json", "correlation.png"}) {
    EXPECT_EQ(ReadAll(folder_.path("cut/" + std::string(file))),
              ReadAll(folder_.path("whole/" + std::string(file))))
        << file;
  }
}

TEST_F(ClassSensitivityCommandTest, ShardsMergeIntoTheWhole) {
  const auto server = Server();
  ASSERT_EQ(RunCommand(Command(*server, "whole", {"--meta"})).exit_code, 0);
  for (const std::string shard : {"0", "1"}) {
    ASSERT_EQ(RunCommand(Command(*server, "part" + shard,
                                 {"--meta", "--shard", shard + "/2"}))
                  .exit_code,
              0);
  }
  const RunResult merged = RunCommand(
      {"evaluate", "class-sensitivity", "--out-dir", folder_.path("merged"),
       "--merge", folder_.path("part0"), "--merge", folder_.path("part1")});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  for (const char* file : {"summary.csv", "summary.json"}) {
    EXPECT_EQ(ReadAll(folder_.path("merged/" + std::string(file))),
              ReadAll(folder_.path("whole/" + std::string(file))))
        << file;
  }
}

TEST_F(ClassSensitivityCommandTest, WrongUsageSaysWhatIsWrong) {
  const auto server = Server();
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--epsilon", "0.1"}, "need --meta"},
      {{"--meta", "--loss", "hinge"}, "binary_cross_entropy"},
      {{"-m", "norm_grd"}, "norm_grd"},
      {{"--combination", "uniform"}, "WEIGHTING+RULE"}};
  for (const auto& [flags, message] : cases) {
    const RunResult result = RunCommand(Command(*server, "out", flags));
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_THAT(result.err,
                HasSubstr("saliency evaluate class-sensitivity --help"));
  }
  EXPECT_TRUE(server->sensitivity_requests().empty());
}

}  // namespace
}  // namespace saliency::class_sensitivity_command_test
