// Calibrations of a real server that is killed, drained or read-only: the
// weights that were there stay whole and in use.

#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/saliency_client.h"
#include "core/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/wire.h"
#include "tests/lifecycle/served.h"

namespace saliency::calibration_process_test {
namespace {

using ::testing::HasSubstr;

constexpr char kFile[] = "resnet/1/layer_weights.pbtxt";
constexpr char kOldWeights[] = R"(
layers { layer: "layer1" feature_spread: 1 classification_accuracy: 0.25 }
layers { layer: "layer3" feature_spread: 3 classification_accuracy: 0.75 }
data: "old"
)";

v1::CalibrationSettings Settings() {
  v1::CalibrationSettings settings;
  settings.mutable_model()->set_name(kModel);
  settings.add_layers("layer1");
  settings.add_layers("layer3");
  settings.set_data("new");
  return settings;
}

v1::LabelledImage ImageOf(int number) {
  v1::LabelledImage image;
  image.set_id(absl::StrCat(number));
  *image.mutable_input() = RandomTensor(number, GoldenInputSize("tiny_resnet"));
  image.add_classes()->set_class_index(number % 2);
  return image;
}

// Images 0 to count - 1.
NextLabelledImage Images(int count) {
  return [count, next = 0]() mutable -> std::optional<v1::LabelledImage> {
    if (next == count) return std::nullopt;
    return ImageOf(next++);
  };
}

std::unique_ptr<ServerProcess> ServeCalibrated(const ModelFolder& models) {
  auto server = Serve(models, {"--allow-calibration"});
  EXPECT_TRUE(server->AwaitServing().ok());
  return server;
}

// What GetModel shows, once CombineLayers has used it.
std::string WeightsInUse(const ServerProcess& server) {
  const auto client = ClientOf(server);
  v1::CombineLayersRequest request;
  request.mutable_model()->set_name(kModel);
  *request.mutable_input() = ImageOf(1).input();
  v1::Combination& combination = *request.add_combinations();
  *combination.mutable_attribution() = At("norm_grad", {"layer1", "layer3"});
  combination.set_weighting(v1::WEIGHTING_FEATURE_SPREAD);
  const auto answer = client->CombineLayers(request);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return client->GetModel({})->layer_weights().data();
}

TEST(CalibrationProcessTest, AKillInTheMiddleLeavesTheOldWeightsInUse) {
  ModelFolder models;
  AddModel(models);
  models.folder().Write(kFile, kOldWeights);
  auto server = ServeCalibrated(models);
  EXPECT_EQ(WeightsInUse(*server), "old");
  const auto client = ClientOf(*server);
  // Images come until the server is gone; it goes when some are done.
  const auto outcome = client->CalibrateLayerWeights(
      Settings(), Images(1'000'000),
      [&](const v1::CalibrateLayerWeightsResponse& news) {
        if (news.progress().done() >= 5) server->process().Signal(SIGKILL);
      });
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server->process().AwaitExit(), 128 + SIGKILL);
  EXPECT_EQ(ReadBytes(models.folder() / kFile), kOldWeights);
  EXPECT_EQ(WeightsInUse(*ServeCalibrated(models)), "old");
}

// Wherever it is: collecting, training, writing, done.
TEST(CalibrationProcessTest, AKillAtAnyMomentLeavesOldWeightsOrNewOnes) {
  ModelFolder models;
  AddModel(models);
  int calibrated = 0;
  for (const int after_ms : {2, 20, 60, 120, 250, 500}) {
    SCOPED_TRACE(after_ms);
    models.folder().Write(kFile, kOldWeights);
    const auto server = ServeCalibrated(models);
    const auto client = ClientOf(*server);
    std::thread killer([&] {
      EXPECT_EQ(server->process().AwaitExit(absl::Milliseconds(after_ms)),
                std::nullopt);
      server->process().Signal(SIGKILL);
    });
    const auto outcome =
        client->CalibrateLayerWeights(Settings(), Images(24), nullptr);
    killer.join();
    EXPECT_EQ(server->process().AwaitExit(), 128 + SIGKILL);
    const std::string in_use = WeightsInUse(*ServeCalibrated(models));
    if (outcome.ok()) {
      EXPECT_EQ(in_use, "new") << "stored before the caller hears of it";
    } else {
      EXPECT_THAT(in_use, testing::AnyOf("old", "new"));
    }
    calibrated += in_use == "new";
  }
  RecordProperty("calibrated_before_the_kill", calibrated);
}

TEST(CalibrationProcessTest, ATemporaryFileThatWasLeftDoesNoHarm) {
  ModelFolder models;
  AddModel(models);
  models.folder().Write(kFile, kOldWeights);
  models.folder().Write(absl::StrCat(kFile, ".17.0.part"), "layers { lay");
  const auto server = ServeCalibrated(models);
  EXPECT_EQ(WeightsInUse(*server), "old");
  const auto outcome =
      ClientOf(*server)->CalibrateLayerWeights(Settings(), Images(24), nullptr);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->stored().code(), 0) << outcome->stored().message();
  EXPECT_EQ(WeightsInUse(*server), "new") << "without a restart";
  EXPECT_EQ(ReadBytes(models.folder() / kFile), outcome->file_text());
}

TEST(CalibrationProcessTest, DrainingEndsItInTimeAndKeepsTheOldWeights) {
  ModelFolder models;
  AddModel(models);
  models.folder().Write(kFile, kOldWeights);
  const auto server = ServeCalibrated(models);
  const auto client = ClientOf(*server);
  const auto outcome = client->CalibrateLayerWeights(
      Settings(), Images(1'000'000),
      [&](const v1::CalibrateLayerWeightsResponse& news) {
        if (news.progress().done() >= 5) server->process().Signal(SIGTERM);
      });
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server->process().AwaitExit(), 0) << "all calls were answered";
  EXPECT_EQ(ReadBytes(models.folder() / kFile), kOldWeights);
}

TEST(CalibrationProcessTest, IsOffUnlessTheFlagIsGiven) {
  ModelFolder models;
  AddModel(models);
  const auto server = Serve(models);
  ASSERT_TRUE(server->AwaitServing().ok());
  const auto outcome =
      ClientOf(*server)->CalibrateLayerWeights(Settings(), Images(4), nullptr);
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(outcome.status().message()),
              HasSubstr("--allow-calibration"));
}

}  // namespace
}  // namespace saliency::calibration_process_test
