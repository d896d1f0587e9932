// CalibrateLayerWeights over a fake model: what is measured, stored and used,
// and what becomes of it when something goes wrong.

#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/layer_weights_text.h"
#include "tests/server/calibration_caller.h"
#include "tests/server/held_jobs.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

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
  *request.mutable_input() = FakePicture(1, 1, {}).input();
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

TestServer::Options Held(Gate& gate, const TemporaryFolder& folder) {
  return {.hook =
              [&gate](const std::vector<int>&) {
                gate.Pass();
                return absl::OkStatus();
              },
          .allow_calibration = true,
          .folder = folder.path()};
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
  EXPECT_EQ(outcome.result.model(), "fake");
  EXPECT_EQ(outcome.result.version(), 1);
  EXPECT_EQ(outcome.result.training_pictures(), 42);
  EXPECT_EQ(outcome.result.held_out_pictures(), 18);
  const v1::LayerWeights& weights = outcome.result.layer_weights();
  ASSERT_EQ(weights.layers_size(), 2);
  EXPECT_EQ(weights.layers(0).layer(), "conv");
  EXPECT_EQ(weights.layers(0).classification_accuracy(), 1) << "told apart";
  EXPECT_GT(weights.layers(0).feature_spread(), 1) << "by their numbers";
  EXPECT_EQ(weights.model_sha256(), std::string(64, 'a'));
  EXPECT_EQ(weights.data(), "two classes");
  EXPECT_EQ(weights.pictures(), 60);
  EXPECT_EQ(weights.classes(), 2);
  EXPECT_THAT(weights.calibrated_at(), testing::SizeIs(20));

  EXPECT_EQ(ReadAll(folder / kFile), outcome.result.file_text());
  EXPECT_TRUE(ParseLayerWeightsText(outcome.result.file_text()).ok());
  EXPECT_EQ(GetModel(server).layer_weights().SerializeAsString(),
            weights.SerializeAsString());
  const grpc::Status after = Combine(server, combined);
  ASSERT_TRUE(after.ok()) << after.error_message();
  EXPECT_EQ(combined.combined(0).shares(0).weight(), 0.5);

  while (server.Metric(
             "saliency_requests_total",
             {{"rpc", "CalibrateLayerWeights"}, {"code", "CANCELLED"}}) == 0) {
    std::this_thread::yield();
  }
}

TEST(CalibrationTest, DrainingEndsItAndStoresNothing) {
  const TemporaryFolder folder;
  Gate gate;
  TestServer server(Held(gate, folder));
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  caller.Send(FakePicture(0, 1, {0}));
  gate.AwaitArrivals(1);
  server.calibrations().Close();
  EXPECT_EQ(caller.ReadToTheEnd().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  gate.Open();
  CalibrationCaller late(server.models());
  late.Send(FakeSettings());
  EXPECT_EQ(late.ReadToTheEnd().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReadAll(folder / kFile), "");
}

TEST(CalibrationTest, ACallerThatFallsSilentIsNotWaitedForForEver) {
  const TemporaryFolder folder;
  TestServer server({.allow_calibration = true,
                     .folder = folder.path(),
                     .calibration_patience = absl::Milliseconds(500)});
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  caller.Send(FakePicture(0, 1, {0}));
  const CalibrationOutcome outcome = caller.ReadToTheEnd();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(outcome.status.error_message(), "no picture came for 500ms");
}

TEST(CalibrationTest, FeaturesBeyondTheBoundEndIt) {
  const TemporaryFolder folder;
  // Twelve float32 a picture.
  TestServer server({.allow_calibration = true,
                     .folder = folder.path(),
                     .max_feature_bytes = 10 * 12 * 4});
  server.AddFakeModel();
  v1::CalibrationSettings settings = FakeSettings();
  settings.set_pictures_per_class(5);
  EXPECT_TRUE(Calibrate(server, 40, settings).status.ok())
      << "what is not kept does not count";
  settings.set_pictures_per_class(6);
  const CalibrationOutcome outcome = Calibrate(server, 40, settings);
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(outcome.status.error_message(),
              HasSubstr("528 bytes, of at most 480"));
}

// Features of a picture at "conv" and "last", by a held engine.
Explanation Features(int number) {
  Explanation answer;
  answer.pictures.resize(1);
  answer.pictures[0].pooled.assign(12, static_cast<float>(number));
  return answer;
}

TestServer::Options HeldBy(HeldJobs& engine, const TemporaryFolder& folder) {
  return {.submit = engine.Submit(),
          .allow_calibration = true,
          .folder = folder.path()};
}

TEST(CalibrationTest, NoMorePicturesThanAWindowAreInWork) {
  constexpr int kPictures = 200;
  constexpr int kWindow = 2 * 16;  // FakeModel's max_rows
  const TemporaryFolder folder;
  HeldJobs engine;
  TestServer server(HeldBy(engine, folder));
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  std::thread sender([&] {
    caller.Send(FakeSettings());
    caller.SendTwoClasses(kPictures / 2);
  });
  ASSERT_TRUE(engine.Await(kWindow));
  for (int i = 0; i < kPictures; ++i) {
    ASSERT_TRUE(engine.Await(i + 1));
    ASSERT_LE(engine.total(), i + kWindow);
    engine.Answer(i, Features(i));
  }
  sender.join();
  const CalibrationOutcome outcome = caller.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(engine.total(), kPictures);
}

TEST(CalibrationTest, AFullQueueIsTriedAgain) {
  const TemporaryFolder folder;
  HeldJobs engine;
  TestServer server(HeldBy(engine, folder));
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  caller.SendTwoClasses(4);
  ASSERT_TRUE(engine.Await(8));
  for (int i = 0; i < 8; ++i) {
    engine.Answer(i, absl::ResourceExhaustedError("the queue is full"));
  }
  ASSERT_TRUE(engine.Await(16));
  for (int i = 8; i < 16; ++i) engine.Answer(i, Features(i));
  const CalibrationOutcome outcome = caller.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_THAT(outcome.rejected, IsEmpty());
  EXPECT_EQ(engine.total(), 16);
  EXPECT_EQ(outcome.result.layer_weights().pictures(), 8);
}

TEST(CalibrationTest, AnEngineThatEndsEndsItAndTheRestIsCancelled) {
  const TemporaryFolder folder;
  HeldJobs engine;
  TestServer server(HeldBy(engine, folder));
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  caller.SendTwoClasses(4);
  ASSERT_TRUE(engine.Await(8));
  engine.Answer(3, absl::UnavailableError("device lost"));
  const CalibrationOutcome outcome = caller.ReadToTheEnd();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(outcome.status.error_message(), "device lost");
  EXPECT_EQ(engine.cancelled(), 7);
}

TEST(CalibrationTest, AVersionThatWasReplacedMeanwhileKeepsItsOwnWeights) {
  const TemporaryFolder folder;
  Gate gate;
  TestServer server(Held(gate, folder));
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  caller.Send(FakePicture(0, 1, {0}));
  gate.AwaitArrivals(1);
  CatalogueVersion other = *server.catalogue().FindReady("fake", 1);
  other.sha256 = std::string(64, 'b');
  server.catalogue().Set(other);
  gate.Open();
  caller.SendTwoClasses(10);
  const CalibrationOutcome outcome = caller.Finish();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(outcome.status.error_message(), HasSubstr("was replaced"));
  EXPECT_FALSE(GetModel(server).has_layer_weights());
  EXPECT_EQ(ReadAll(folder / kFile), "");
}

// Its pictures ride in one batch with a stranger's request.
TEST(CalibrationTest, PicturesShareBatchesWithStrangers) {
  const TemporaryFolder folder;
  Gate gate;
  TestServer server(Held(gate, folder));
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  caller.Send(FakePicture(1, 1, {0}));
  gate.AwaitArrivals(1);  // the first batch is held
  for (int i = 2; i < 6; ++i) caller.Send(FakePicture(i, 1, {0}));
  std::thread stranger([&] {
    grpc::ClientContext context;
    v1::ComputeSaliencyResponse response;
    EXPECT_TRUE(server.saliency()
                    .ComputeSaliency(&context, FakeRequest(), &response)
                    .ok());
  });
  while (server.engine().load().queued_items < 5) std::this_thread::yield();
  gate.Open();
  stranger.join();
  caller.Cancel();
  caller.ReadToTheEnd();
  const auto batches = server.explainer_log().Batches();
  ASSERT_GE(batches.size(), 2);
  EXPECT_THAT(batches[1], SizeIs(5)) << "four pictures and the stranger";
  EXPECT_THAT(batches[1], testing::UnorderedElementsAre(0, 2, 3, 4, 5));
}

}  // namespace
}  // namespace saliency
