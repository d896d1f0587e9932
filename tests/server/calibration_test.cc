// CalibrateLayerWeights over a fake model: what is measured, stored and used,
// and what becomes of it when something goes wrong.

#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/layer_weights_text.h"
#include "tests/server/calibration_caller.h"
#include "tests/server/held_calibration.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::calibration_test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kFile[] = "layer_weights.pbtxt";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

v1::GetModelResponse GetModel(TestServer& server) {
  grpc::ClientContext context;
  v1::GetModelResponse response;
  EXPECT_TRUE(server.models().GetModel(&context, {}, &response).ok());
  return response;
}

grpc::Status Combine(TestServer& server, v1::CombineLayersResponse& response) {
  grpc::ClientContext context;
  v1::CombineLayersRequest request;
  *request.mutable_input() = FakeImage(1, 1, {}).input();
  v1::Combination* combination = request.add_combinations();
  combination->mutable_attribution()->set_method("norm_grad");
  combination->mutable_attribution()->add_layers("conv");
  combination->mutable_attribution()->add_layers("last");
  combination->set_weighting(v1::WEIGHTING_CLASSIFICATION_ACCURACY);
  return server.saliency().CombineLayers(&context, request, &response);
}

CalibrationOutcome Calibrate(
    TestServer& server, int of_each,
    const v1::CalibrationSettings& settings = FakeSettings()) {
  CalibrationCaller caller(server.models());
  caller.Send(settings);
  caller.SendTwoClasses(of_each);
  return caller.Finish();
}

TEST(CalibrationTest, WeightsAreMeasuredStoredShownAndUsedAtOnce) {
  const TemporaryFolder folder;
  TestServer server({.allow_calibration = true, .folder = folder.path()});
  server.AddFakeModel();
  v1::CombineLayersResponse combined;
  const grpc::Status before = Combine(server, combined);
  EXPECT_EQ(before.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(before.error_message(), HasSubstr("saliency calibrate"));

  const CalibrationOutcome outcome = Calibrate(server, 30);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_THAT(outcome.rejected, IsEmpty());
  EXPECT_EQ(outcome.result.stored().code(), 0)
      << outcome.result.stored().message();
  EXPECT_EQ(outcome.result.model().name(), "fake");
  EXPECT_EQ(outcome.result.model().version(), 1);
  EXPECT_EQ(outcome.result.training_images(), 42);
  EXPECT_EQ(outcome.result.held_out_images(), 18);
  const v1::LayerWeights& weights = outcome.result.layer_weights();
  ASSERT_EQ(weights.layers_size(), 2);
  EXPECT_EQ(weights.layers(0).layer(), "conv");
  EXPECT_EQ(weights.layers(0).classification_accuracy(), 1) << "told apart";
  EXPECT_GT(weights.layers(0).feature_spread(), 1) << "by their numbers";
  EXPECT_EQ(weights.model_sha256(), std::string(64, 'a'));
  EXPECT_EQ(weights.data(), "two classes");
  EXPECT_EQ(weights.images(), 60);
  EXPECT_EQ(weights.classes(), 2);
  EXPECT_THAT(weights.calibrated_at(), testing::SizeIs(20));

  EXPECT_EQ(ReadAll(folder / kFile), outcome.result.file_text());
  EXPECT_TRUE(ParseLayerWeightsText(outcome.result.file_text()).ok());
  EXPECT_EQ(GetModel(server).layer_weights().SerializeAsString(),
            weights.SerializeAsString());
  const grpc::Status after = Combine(server, combined);
  ASSERT_TRUE(after.ok()) << after.error_message();
  EXPECT_EQ(combined.combined(0).shares(0).weight(), 0.5);

  EXPECT_EQ(server.Metric("saliency_requests_total",
                          {{"rpc", "CalibrateLayerWeights"},
                           {"model", "fake"},
                           {"code", "OK"}}),
            1);
}

TEST(CalibrationTest, ProgressEndsWithAllImagesAndAllLayers) {
  const TemporaryFolder folder;
  TestServer server({.allow_calibration = true, .folder = folder.path()});
  server.AddFakeModel();
  const CalibrationOutcome outcome = Calibrate(server, 20);
  ASSERT_GE(outcome.progress.size(), 2);
  const auto last = outcome.progress.end() - 1;
  EXPECT_EQ(last->phase(), v1::CalibrationProgress::PHASE_CLASSIFIERS);
  EXPECT_EQ(last->done(), 2);
  EXPECT_EQ(last->total(), 2);
  int64_t images = 0;
  for (const v1::CalibrationProgress& progress : outcome.progress) {
    if (progress.phase() != v1::CalibrationProgress::PHASE_FEATURES) continue;
    EXPECT_GE(progress.done(), images);
    images = progress.done();
  }
  EXPECT_EQ(images, 40);
}

TEST(CalibrationTest, TheSameSeedAndImagesGiveTheSameWeights) {
  const TemporaryFolder folder;
  TestServer server({.allow_calibration = true, .folder = folder.path()});
  server.AddFakeModel();
  v1::CalibrationSettings settings = FakeSettings();
  settings.set_images_per_class(5);
  const auto first = Calibrate(server, 40, settings);
  ASSERT_TRUE(first.status.ok()) << first.status.error_message();
  EXPECT_EQ(first.result.layer_weights().images(), 10) << "of 80";
  EXPECT_EQ(first.layers(), Calibrate(server, 40, settings).layers());
  settings.set_seed(1);
  EXPECT_NE(first.layers(), Calibrate(server, 40, settings).layers());
}

TEST(CalibrationTest, SeveralLabelsAreJudgedClassByClass) {
  const TemporaryFolder folder;
  TestServer server({.allow_calibration = true, .folder = folder.path()});
  server.AddFakeModel();
  v1::CalibrationSettings settings = FakeSettings();
  settings.set_multi_label(true);
  CalibrationCaller caller(server.models());
  caller.Send(settings);
  for (int i = 0; i < 60; ++i) {
    // Class 4 comes and goes with the features; class 5 is there too, but for
    // where it is uncertain; class 6 once.
    std::vector<int> classes;
    if (i % 2 == 0) classes.push_back(4);
    if (i % 3 != 0) classes.push_back(5);
    if (i == 7) classes.push_back(6);
    if (classes.empty()) classes.push_back(2);
    v1::LabelledImage image = FakeImage(i, i % 2 == 0 ? 1.0F : -1.0F, classes);
    if (i % 3 == 0) image.add_uncertain()->set_label("class5");
    caller.Send(image);
  }
  const CalibrationOutcome outcome = caller.Finish();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_THAT(outcome.rejected, IsEmpty());
  EXPECT_EQ(outcome.result.layer_weights().classes(), 2) << "2 and 4";
  ASSERT_EQ(outcome.result.left_out_size(), 2);
  EXPECT_EQ(outcome.result.left_out(0).class_index(), 6);
  EXPECT_EQ(outcome.result.left_out(0).label(), "class6");
  EXPECT_EQ(outcome.result.left_out(0).reason(), "has 1 image, of at least 2");
  EXPECT_EQ(outcome.result.left_out(1).class_index(), 5);
  EXPECT_THAT(outcome.result.left_out(1).reason(),
              HasSubstr("no image without it"));
}

TEST(CalibrationTest, IsRefusedUnlessItIsAllowed) {
  TestServer server;
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  const CalibrationOutcome outcome = caller.ReadToTheEnd();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(outcome.status.error_message(),
            "calibration is off: start the server with --allow-calibration");
  EXPECT_EQ(
      server.Metric("saliency_requests_total", {{"code", "PERMISSION_DENIED"}}),
      1);
}

TEST(CalibrationTest, WhereNothingCanBeWrittenTheAnswerHoldsTheFile) {
  const TemporaryFolder folder;
  TestServer server(
      {.allow_calibration = true, .folder = folder / "not-there"});
  server.AddFakeModel();
  const CalibrationOutcome outcome = Calibrate(server, 10);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result.stored().code(),
            static_cast<int>(grpc::StatusCode::FAILED_PRECONDITION));
  EXPECT_EQ(outcome.result.stored().message(),
            "layer_weights.pbtxt cannot be written: is the model repository "
            "read-only?");
  EXPECT_TRUE(ParseLayerWeightsText(outcome.result.file_text()).ok());
  EXPECT_EQ(outcome.result.layer_weights().layers_size(), 2);
  EXPECT_FALSE(GetModel(server).has_layer_weights()) << "not used";
}

TEST(CalibrationTest, OfAVersionThereIsOneAtATime) {
  HeldCalibration first;
  CalibrationCaller second(first.server.models());
  second.Send(FakeSettings());
  const CalibrationOutcome refused = second.ReadToTheEnd();
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(refused.status.error_message(),
            "model \"fake\" version 1 is being calibrated already");
  first.gate.Open();
  first.caller.SendTwoClasses(10);
  EXPECT_TRUE(first.caller.Finish().status.ok());
  EXPECT_TRUE(Calibrate(first.server, 10).status.ok())
      << "the place is free again";
}

TEST(CalibrationTest, ACallerThatLeavesChangesNothingAndMakesRoom) {
  const TemporaryFolder folder;
  folder.Write(kFile, "old");
  Gate gate;
  TestServer server(HeldAtGate(gate, folder));
  server.AddFakeModel();
  {
    CalibrationCaller leaves(server.models());
    leaves.Send(FakeSettings());
    leaves.SendTwoClasses(10);  // fewer than the window
    gate.AwaitArrivals(1);
    leaves.Cancel();
    EXPECT_EQ(leaves.ReadToTheEnd().status.error_code(),
              grpc::StatusCode::CANCELLED);
  }
  gate.Open();
  // Only when the server has noticed.
  CalibrationOutcome outcome = Calibrate(server, 10);
  while (outcome.status.error_code() == grpc::StatusCode::ABORTED) {
    EXPECT_EQ(ReadAll(folder / kFile), "old");
    outcome = Calibrate(server, 10);
  }
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  while (server.Metric(
             "saliency_requests_total",
             {{"rpc", "CalibrateLayerWeights"}, {"code", "CANCELLED"}}) == 0) {
    std::this_thread::yield();
  }
}

TEST(CalibrationTest, DrainingEndsItAndStoresNothing) {
  HeldCalibration held;
  held.server.calibrations().Close();
  EXPECT_EQ(held.caller.ReadToTheEnd().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  held.gate.Open();
  CalibrationCaller late(held.server.models());
  late.Send(FakeSettings());
  EXPECT_EQ(late.ReadToTheEnd().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReadAll(held.folder / kFile), "");
}

TEST(CalibrationTest, ACallerThatFallsSilentIsNotWaitedForForEver) {
  const TemporaryFolder folder;
  TestServer server({.allow_calibration = true,
                     .folder = folder.path(),
                     .calibration_idle_timeout = absl::Milliseconds(500)});
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  caller.Send(FakeImage(0, 1, {0}));
  const CalibrationOutcome outcome = caller.ReadToTheEnd();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(outcome.status.error_message(), "no image came for 500ms");
}

TEST(CalibrationTest, FeaturesBeyondTheBoundEndIt) {
  const TemporaryFolder folder;
  // Twelve float32 an image.
  TestServer server({.allow_calibration = true,
                     .folder = folder.path(),
                     .max_feature_bytes = 10 * 12 * 4});
  server.AddFakeModel();
  v1::CalibrationSettings settings = FakeSettings();
  settings.set_images_per_class(5);
  EXPECT_TRUE(Calibrate(server, 40, settings).status.ok())
      << "what is not kept does not count";
  settings.set_images_per_class(6);
  const CalibrationOutcome outcome = Calibrate(server, 40, settings);
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(outcome.status.error_message(),
              HasSubstr("528 bytes, of at most 480"));
  EXPECT_EQ(server.Metric("saliency_refused_total", {{"reason", "too_large"}}),
            1);
}

TEST(CalibrationTest, AVersionThatWasReplacedMeanwhileKeepsItsOwnWeights) {
  HeldCalibration held;
  held.server.AddFakeModel(std::string(64, 'b'));
  held.gate.Open();
  held.caller.SendTwoClasses(10);
  const CalibrationOutcome outcome = held.caller.Finish();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(outcome.status.error_message(), HasSubstr("was replaced"));
  EXPECT_FALSE(GetModel(held.server).has_layer_weights());
  EXPECT_EQ(ReadAll(held.folder / kFile), "");
}

}  // namespace
}  // namespace saliency::calibration_test
