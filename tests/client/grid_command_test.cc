#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/cli/grid_plan.h"
#include "core/image/image.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::grid_command_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(GridPlanTest, LastCutOfEachResolutionWithoutInputAndVectors) {
  EXPECT_THAT(GridLayers(TinyModel()), ElementsAre("layer1", "layer3"));
  EXPECT_THAT(GridLayers(TinyModel(), 1), ElementsAre("layer3"));
}

TEST(GridPlanTest, LayersThatAreNoCutAreUsedWhenThereAreNoOthers) {
  v1::GetModelResponse model = TinyModel();
  for (v1::Layer& layer : *model.mutable_layers()) layer.set_is_cut(false);
  EXPECT_THAT(GridLayers(model), ElementsAre("layer1", "layer3"));
}

TEST(GridPlanTest, ConfiguredLayersComeFirst) {
  v1::GetModelResponse model = TinyModel();
  model.mutable_config()->add_combine_layers("layer2");
  EXPECT_THAT(GridLayers(model), ElementsAre("layer2"));
}

TEST(GridPlanTest, DefaultLayersAreTheLastResort) {
  v1::GetModelResponse model = TinyModel();
  model.clear_layers();
  EXPECT_THAT(GridLayers(model), ElementsAre("layer3"));
  model.clear_config();
  EXPECT_THAT(GridLayers(model), IsEmpty());
}

TEST(GridPlanTest, MethodsAreThoseThatApply) {
  EXPECT_THAT(GridMethods(TinyModel()), ElementsAre("norm_grad", "grad_cam"));
}

TEST(GridCommandTest, SheetShowsLayersTimesMethodsFromOneRequest) {
  const FakeServer server;
  const TestFolder folder;
  const std::string cat = folder.AddImage("cat.png", 60, 90);
  const std::string out = folder.path("sheet.png");
  const RunResult result = RunCommand({"grid", cat, "--out", out, "--server",
                                       server.address(), "--cell-width", "64"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::vector<std::string> lines = result.out_lines();
  ASSERT_EQ(lines.size(), 1U + 4U);
  EXPECT_THAT(lines[0],
              ContainsRegex("cat.png: tabby 93.2 %, 2 layers x 2 methods, "
                            "[0-9]+ ms -> .*sheet.png"));
  EXPECT_EQ(lines[1], "  norm_grad @ layer1: point y=42 x=63")
      << "image and file are told once";
  ASSERT_EQ(server.calls(), 1);
  const v1::ComputeSaliencyRequest request = server.requests()[0];
  EXPECT_EQ(request.attributions_size(), 2);
  EXPECT_EQ(request.output().explicit_size().width(), 64);
  EXPECT_EQ(request.output().explicit_size().height(), 43) << "60 x 64 / 90";
  const absl::StatusOr<Image> sheet = DecodeImage(ReadAll(out), DecodeLimits());
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_GE(sheet->width, 2 * 64);
  EXPECT_GE(sheet->height, 2 * 43);
}

TEST(GridCommandTest, FailedCellsAreToldAndTheSheetIsMade) {
  const FakeServer server([](auto&, const auto& request, auto& response) {
    const grpc::Status status = AnswerWithRamps(request, response);
    v1::SaliencyMap& map = *response.mutable_maps(1);
    map.clear_data();
    map.clear_explained_class();
    map.mutable_status()->set_code(9);
    map.mutable_status()->set_message("not finite");
    return status;
  });
  const TestFolder folder;
  const std::string out = folder.path("sheet.png");
  const RunResult result = RunCommand(
      {"grid", folder.AddImage("cat.png", 8, 8), "--out", out, "--server",
       server.address(), "--method", "gradient", "--pair", "conv1x1+norm",
       "--layer", "a", "--layer", "b", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("gradient @ b: not finite"));
  ASSERT_EQ(result.out_lines().size(), 4U);
  EXPECT_EQ(nlohmann::json::parse(result.out_lines()[0])["png"], out);
  EXPECT_FALSE(ReadAll(out).empty());
}

TEST(GridCommandTest, RefusedImageIsExitCodeOneAndNoFile) {
  const FakeServer server([](auto&, const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "targets[0]: no");
  });
  const TestFolder folder;
  const std::string out = folder.path("sheet.png");
  const RunResult result =
      RunCommand({"grid", folder.AddImage("cat.png", 8, 8), "--out", out,
                  "--server", server.address()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "saliency: targets[0]: no\n");
  EXPECT_EQ(ReadAll(out), "");
}

}  // namespace
}  // namespace saliency::grid_command_test
