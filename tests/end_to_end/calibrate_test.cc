// `saliency calibrate` as a process, against the real server with
// voc-emoji, on its sample images.

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_process.h"
#include "tests/end_to_end/wire.h"

namespace saliency::calibrate_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class CalibrateTest : public ::testing::Test {
 protected:
  CalibrateTest() {
    models_.AddBundled("voc-emoji");
    for (const auto& entry : fs::directory_iterator(SampleFolder())) {
      const std::string name = entry.path().filename();
      const bool is_image = entry.path().extension() == ".jpg";
      data_.Write((is_image ? "JPEGImages/" : "Annotations/") + name,
                  ReadBytes(entry.path()));
      if (is_image) names_ += entry.path().stem().string() + "\n";
    }
    data_.Write("ImageSets/Main/samples.txt", names_);
  }

  std::string WeightsFile() const {
    return models_.folder() / "voc-emoji/1/layer_weights.pbtxt";
  }

  std::unique_ptr<ServerProcess> Serve() const {
    auto server = ServerProcess::Start(
        {.models = models_.path(), .flags = {"--allow-calibration"}});
    EXPECT_TRUE(server.ok()) << server.status();
    EXPECT_TRUE((*server)->AwaitServing().ok());
    return *std::move(server);
  }

  static ProgramResult Run(const ServerProcess& server,
                           std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), SALIENCY_CLIENT_BINARY);
    return RunProgram({.command = std::move(arguments),
                       .environment = {"SALIENCY_SERVER=" + server.address()}});
  }
  ProgramResult Calibrate(const ServerProcess& server) const {
    return Run(server, {"calibrate", data_.path(), "--set", "samples",
                        "--held-out", "0.5", "--json"});
  }
  static ProgramResult Combine(const ServerProcess& server) {
    return Run(server, {"combine", SampleFolder() + "/dog-tvmonitor.jpg",
                        "--target", "dog", "--weighting",
                        "classification_accuracy", "--rule", "product"});
  }

  // Measured twice from the same images and seed: alike but for the
  // rounding of the batches that the images happened to meet in, which may
  // turn one held-out image that lies on the border of its class.
  static void ExpectAlike(const nlohmann::json& again,
                          const nlohmann::json& first, double held_out) {
    const double spread = first["feature_spread"];
    EXPECT_NEAR(again["feature_spread"], spread, 1e-5 * spread);
    EXPECT_NEAR(again["classification_accuracy"],
                first["classification_accuracy"], 1.001 / held_out);
  }

  ModelFolder models_;
  const TemporaryFolder data_;
  std::string names_;
};

TEST_F(CalibrateTest, WeightsAreMeasuredUsedAtOnceAndAfterARestart) {
  auto server = Serve();
  const ProgramResult before = Combine(*server);
  EXPECT_EQ(before.exit_code, 1);
  EXPECT_THAT(before.err, HasSubstr("saliency calibrate"));

  const ProgramResult calibrated = Calibrate(*server);
  ASSERT_EQ(calibrated.exit_code, 0) << calibrated.err;
  const auto json = nlohmann::json::parse(calibrated.out);
  EXPECT_EQ(json["model"], "voc-emoji");
  EXPECT_EQ(json["stored"], true);
  const auto& layers = json["layer_weights"]["layers"];
  ASSERT_EQ(layers.size(), 5) << "the model's combine_layers";
  for (const auto& layer : layers) {
    EXPECT_GT(layer["feature_spread"], 0) << layer["layer"];
    EXPECT_GE(layer["classification_accuracy"], 0) << layer["layer"];
    EXPECT_LE(layer["classification_accuracy"], 1) << layer["layer"];
  }
  EXPECT_THAT(calibrated.err, HasSubstr("left out: class boat has 1 image"));
  EXPECT_EQ(ReadBytes(WeightsFile()), std::string(json["file_text"]));

  const ProgramResult again = Calibrate(*server);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const auto repeated = nlohmann::json::parse(again.out);
  const auto& layers_again = repeated["layer_weights"]["layers"];
  ASSERT_EQ(layers_again.size(), layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    SCOPED_TRACE(layers[i]["layer"]);
    EXPECT_EQ(layers_again[i]["layer"], layers[i]["layer"]);
    ExpectAlike(layers_again[i], layers[i], json["held_out_images"]);
  }

  const ProgramResult after = Combine(*server);
  EXPECT_EQ(after.exit_code, 0) << after.err;
  EXPECT_THAT(after.out, HasSubstr("product classification_accuracy"));
  EXPECT_EQ(server->Stop(), 0);
  server = Serve();
  EXPECT_EQ(Combine(*server).exit_code, 0) << "read when it starts";
  EXPECT_THAT(Run(*server, {"models", "voc-emoji"}).out,
              ContainsRegex("calibrated .* images of .* classes: .* samples"));
}

TEST_F(CalibrateTest, WhereNothingCanBeWrittenTheClientGetsTheFile) {
  const auto server = Serve();
  // No file can take the place of a folder, not even for root.
  fs::create_directories(WeightsFile() + "/in-the-way");
  const std::string out = data_ / "weights.pbtxt";
  const ProgramResult result =
      Run(*server, {"calibrate", data_.path(), "--set", "samples", "--layer",
                    "layer3", "--held-out", "0.5", "--out", out});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("not stored: layer_weights.pbtxt cannot be "
                                    "written"));
  EXPECT_THAT(result.out, ContainsRegex("layer3 +[0-9.]+ +[0-9.]+"));
  EXPECT_THAT(ReadBytes(out), HasSubstr("layer: \"layer3\""));
  EXPECT_EQ(Combine(*server).exit_code, 1) << "not used";
}

}  // namespace
}  // namespace saliency::calibrate_test
