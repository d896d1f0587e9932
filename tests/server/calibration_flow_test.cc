// How a calibration's images go through the engine: how many at a time, with
// whom, and what of a full queue or a lost device.

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/calibration_caller.h"
#include "tests/server/held_calibration.h"
#include "tests/server/held_jobs.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::calibration_flow_test {
namespace {

using testing::IsEmpty;

// Features of an image at "conv" and "last", by a held engine.
Explanation Features(int number) {
  Explanation answer;
  answer.images.resize(1);
  answer.images[0].pooled.assign(12, static_cast<float>(number));
  return answer;
}

TestServer::Options HeldBy(HeldJobs& engine, const TemporaryFolder& folder) {
  return {.submit = engine.Submit(),
          .allow_calibration = true,
          .folder = folder.path()};
}

TEST(CalibrationTest, NoMoreImagesThanAWindowAreInWork) {
  constexpr int kImages = 200;
  constexpr int kWindow = 2 * 16;  // FakeModel's max_rows
  const TemporaryFolder folder;
  HeldJobs engine;
  TestServer server(HeldBy(engine, folder));
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  std::thread sender([&] {
    caller.Send(FakeSettings());
    caller.SendTwoClasses(kImages / 2);
  });
  ASSERT_TRUE(engine.Await(kWindow));
  for (int i = 0; i < kImages; ++i) {
    ASSERT_TRUE(engine.Await(i + 1));
    ASSERT_LE(engine.total(), i + kWindow);
    engine.Answer(i, Features(i));
  }
  sender.join();
  const CalibrationOutcome outcome = caller.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(engine.total(), kImages);
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
  EXPECT_EQ(outcome.result.layer_weights().images(), 8);
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

grpc::StatusCode Ask(TestServer& server,
                     const v1::ComputeSaliencyRequest& request) {
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  return server.saliency()
      .ComputeSaliency(&context, request, &response)
      .error_code();
}

// Whatever was admitted before is decoded and in the queue when this returns:
// so is an input of NaNs, which is then refused.
void AwaitDecoded(TestServer& server) {
  v1::ComputeSaliencyRequest request = FakeRequest();
  std::string& data =
      *request.mutable_input()->mutable_tensor()->mutable_data();
  data.assign(data.size(), '\xff');
  EXPECT_EQ(Ask(server, request), grpc::StatusCode::INVALID_ARGUMENT);
}

// Its images ride in one batch with a stranger's request.
TEST(CalibrationTest, ImagesShareBatchesWithStrangers) {
  HeldCalibration held(/*first_image=*/1);
  for (int i = 2; i < 6; ++i) held.caller.Send(FakeImage(i, 1, {0}));
  std::thread stranger([&] {
    EXPECT_EQ(Ask(held.server, FakeRequest()), grpc::StatusCode::OK);
  });
  while (held.server.engine().load().queued_items < 5) {
    std::this_thread::yield();
  }
  AwaitDecoded(held.server);
  held.gate.Open();
  stranger.join();
  held.caller.Cancel();
  held.caller.ReadToTheEnd();
  const auto batches = held.server.explainer_log().Batches();
  ASSERT_GE(batches.size(), 2);
  EXPECT_THAT(batches[1], testing::UnorderedElementsAre(0, 2, 3, 4, 5))
      << "four images and the stranger";
}

}  // namespace
}  // namespace saliency::calibration_flow_test
