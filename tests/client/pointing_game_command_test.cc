// The command over a server that answers with points it was told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>

#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/evaluation_journal.h"
#include "client/cli/interrupt.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/client/tabby_folder.h"

namespace saliency::pointing_game_command_test {
namespace {

using testing::HasSubstr;

// Points at (10, 10) for every method, layer and combination.
grpc::Status PointAtTen(const v1::CombineLayersRequest& request,
                        v1::CombineLayersResponse& response) {
  for (int t = 0; t < request.targets_size(); ++t) {
    for (const v1::Combination& combination : request.combinations()) {
      const v1::Attribution& attribution = combination.attribution();
      v1::CombinedMap* combined = response.add_combined();
      combined->set_weighting(combination.weighting());
      combined->set_rule(combination.rule());
      combined->mutable_map()->set_method(attribution.method());
      combined->mutable_map()->set_target(t);
      combined->mutable_map()->mutable_point()->set_y(10);
      combined->mutable_map()->mutable_point()->set_x(10);
      combined->mutable_map()->set_height(60);
      combined->mutable_map()->set_width(80);
      if (combination.weighting() != v1::WEIGHTING_UNIFORM ||
          combination.rule() != v1::COMBINE_RULE_SUM) {
        continue;
      }
      for (const std::string& layer : attribution.layers()) {
        v1::SaliencyMap* map = response.add_layer_maps();
        *map = combined->map();
        map->set_layer(layer);
      }
    }
  }
  return grpc::Status::OK;
}

class PointingGameCommandTest : public testing::Test {
 protected:
  std::vector<std::string> Command(const FakeServer& server,
                                   const std::string& out) const {
    return {"evaluate",
            "pointing-game",
            voc_,
            "--server",
            server.address(),
            "--out-dir",
            folder_.path(out),
            "-m",
            "norm_grad",
            "-l",
            "layer1",
            "-l",
            "layer4",
            "--combination",
            "uniform+sum",
            "--concurrency",
            "2"};
  }

  // `before` runs ahead of each answer.
  static std::unique_ptr<FakeServer> Server(std::function<void()> before = [] {
  }) {
    return std::make_unique<FakeServer>(
        nullptr, nullptr,
        [before = std::move(before)](grpc::ServerContext&,
                                     const v1::CombineLayersRequest& request,
                                     v1::CombineLayersResponse& response) {
          before();
          return PointAtTen(request, response);
        });
  }

  TestFolder folder_;
  // Odd images show the thing where the maps do not point.
  const std::string voc_ = AddTabbyFolder(folder_);
};

TEST_F(PointingGameCommandTest, CountsHitsAndWritesTablesAndPlots) {
  const auto server = Server();
  const RunResult result = RunCommand(Command(*server, "out"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("| norm_grad | 50.0 +-"));
  EXPECT_THAT(result.out, HasSubstr("6 images, 1 categories"));
  for (const char* file : {"pointing_game.csv", "summary.md", "summary.csv",
                           "summary.json", "accuracy_all.png", "weights.png"}) {
    EXPECT_TRUE(
        std::filesystem::exists(folder_.path("out/" + std::string(file))))
        << file;
  }
}

TEST_F(PointingGameCommandTest, AnInterruptedRunEndsLikeOneThatWasNot) {
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
  const size_t done =
      ReadJournal(folder_.path("cut/pointing_game.csv")).value().done.size();
  EXPECT_LT(done, 6U);
  EXPECT_EQ(RunCommand(Command(*server, "cut")).exit_code, 0);
  ASSERT_EQ(RunCommand(Command(*server, "whole")).exit_code, 0);
  for (const char* file : {"pointing_game.csv", "summary.md", "summary.csv",
                           "summary.json", "accuracy_all.png"}) {
    EXPECT_EQ(ReadAll(folder_.path("cut/" + std::string(file))),
              ReadAll(folder_.path("whole/" + std::string(file))))
        << file;
  }
}

TEST_F(PointingGameCommandTest, ShardsMergeIntoTheWhole) {
  const auto server = Server();
  ASSERT_EQ(RunCommand(Command(*server, "whole")).exit_code, 0);
  for (const char* shard : {"0", "1"}) {
    auto command = Command(*server, "part" + std::string(shard));
    command.insert(command.end(), {"--shard", std::string(shard) + "/2"});
    ASSERT_EQ(RunCommand(command).exit_code, 0);
  }
  const RunResult merged = RunCommand(
      {"evaluate", "pointing-game", "--out-dir", folder_.path("merged"),
       "--merge", folder_.path("part0"), "--merge", folder_.path("part1")});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  for (const char* file : {"summary.csv", "summary.json", "weights.png"}) {
    const std::string whole =
        ReadAll(folder_.path(absl::StrCat("whole/", file)));
    EXPECT_FALSE(whole.empty()) << file;
    EXPECT_EQ(ReadAll(folder_.path(absl::StrCat("merged/", file))), whole)
        << file;
  }
  EXPECT_THAT(ReadAll(folder_.path("merged/summary.json")),
              HasSubstr("\"weights\""));
}

TEST_F(PointingGameCommandTest, ShardsThatShareAnImageAreNotMerged) {
  const auto server = Server();
  for (const char* shard : {"0/2", "0/3"}) {
    auto command = Command(*server, std::string("part") + shard[2]);
    command.insert(command.end(), {"--shard", shard});
    ASSERT_EQ(RunCommand(command).exit_code, 0);
  }
  const RunResult merged = RunCommand(
      {"evaluate", "pointing-game", "--out-dir", folder_.path("merged"),
       "--merge", folder_.path("part2"), "--merge", folder_.path("part3")});
  EXPECT_EQ(merged.exit_code, 2);
  EXPECT_THAT(merged.err, HasSubstr("measured 000, as did one before it"));
}

TEST_F(PointingGameCommandTest, AnotherFoldersResultsAreNotGoneOnWith) {
  const auto server = Server();
  ASSERT_EQ(RunCommand(Command(*server, "out")).exit_code, 0);
  const std::string journal = ReadAll(folder_.path("out/pointing_game.csv"));
  folder_.AddFile("voc/ImageSets/Main/test.txt", "000\n001\n");
  const RunResult result = RunCommand(Command(*server, "out"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("holds results of 002"));
  EXPECT_EQ(ReadAll(folder_.path("out/pointing_game.csv")), journal);
}

TEST_F(PointingGameCommandTest, AnImageOfAnotherSizeThanAnnotatedIsNoGame) {
  const auto server = Server();
  folder_.AddFile("voc/ImageSets/Main/test.txt", "000\n001\n");
  folder_.AddFile(
      "voc/Annotations/001.xml",
      "<annotation><size><width>60</width><height>80</height></size><object>"
      "<name>tabby</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>20</xmax>"
      "<ymax>20</ymax></bndbox></object></annotation>");
  const RunResult result = RunCommand(Command(*server, "out"));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err,
              HasSubstr("001: the image has 60 rows and 80 columns"));
  EXPECT_THAT(result.out, HasSubstr("1 images"));
}

TEST_F(PointingGameCommandTest, ShardsWithoutTheirReportsMergeWithoutWeights) {
  const auto server = Server();
  ASSERT_EQ(RunCommand(Command(*server, "part")).exit_code, 0);
  for (const char* text : {"{\"weights\": 3}", "[]", "no JSON"}) {
    folder_.AddFile("part/summary.json", text);
    const RunResult merged =
        RunCommand({"evaluate", "pointing-game", "--out-dir",
                    folder_.path("merged"), "--merge", folder_.path("part")});
    EXPECT_EQ(merged.exit_code, 0) << merged.err;
    EXPECT_FALSE(std::filesystem::exists(folder_.path("merged/weights.png")));
  }
}

TEST_F(PointingGameCommandTest, ABadImageDoesNotEndTheRun) {
  const auto server = Server();
  folder_.AddFile("voc/Annotations/002.xml", "nothing");
  const RunResult result = RunCommand(Command(*server, "out"));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("002"));
  EXPECT_THAT(result.out, HasSubstr("5 images"));
}

TEST_F(PointingGameCommandTest, WrongUsageSaysWhatIsWrong) {
  const auto server = Server();
  auto command = Command(*server, "out");
  command.insert(command.end(), {"--set", "trainval"});
  RunResult result = RunCommand(command);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("there are: test"));
  ASSERT_EQ(RunCommand(Command(*server, "out")).exit_code, 0);
  command = Command(*server, "out");
  command.insert(command.end(), {"--layer", "layer3"});
  result = RunCommand(command);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("another evaluation"));
}

}  // namespace
}  // namespace saliency::pointing_game_command_test
