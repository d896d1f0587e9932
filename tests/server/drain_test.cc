#include "server/drain.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "tests/server/calibration_caller.h"
#include "tests/server/test_server.h"

namespace saliency::drain_test {
namespace {

using grpc::health::v1::HealthCheckResponse;

grpc::StatusCode Explain(TestServer& server) {
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  return server.saliency()
      .ComputeSaliency(&context, FakeRequest(), &response)
      .error_code();
}

grpc::StatusCode ListModels(TestServer& server) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  return server.models().ListModels(&context, {}, &response).error_code();
}

TestServer::Options Held(Gate& gate) {
  return {.hook = [&gate](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  }};
}

DrainEngine EngineOf(TestServer& server) {
  return [&server](absl::Time deadline) {
    return server.engine().Drain(deadline);
  };
}

TEST(DrainTest, AnIdleServerDrainsAndRefusesWhatComesAfter) {
  TestServer server;
  server.AddFakeModel();
  EXPECT_EQ(Explain(server), grpc::StatusCode::OK);
  EXPECT_TRUE(Drain(
      {.delay = absl::ZeroDuration(), .timeout = absl::Seconds(60)},
      server.clock(), server.registry(), server.tracker(), EngineOf(server)));
  EXPECT_EQ(Explain(server), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ListModels(server), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(server.Metric("saliency_refused_total", {{"reason", "draining"}}),
            2);
}

TEST(DrainTest, WhatIsInFlightIsFinished) {
  Gate gate;
  TestServer server(Held(gate));
  server.AddFakeModel();
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  std::thread caller([&] { code = Explain(server); });
  gate.AwaitArrivals(1);
  bool drained = false;
  std::thread drainer([&] {
    drained = Drain(
        {.delay = absl::ZeroDuration(), .timeout = absl::Seconds(60)},
        server.clock(), server.registry(), server.tracker(), EngineOf(server));
  });
  // Draining has begun once a call that needs no engine is refused.
  while (ListModels(server) == grpc::StatusCode::OK) std::this_thread::yield();
  gate.Open();
  caller.join();
  drainer.join();
  EXPECT_EQ(code, grpc::StatusCode::OK);
  EXPECT_TRUE(drained);
}

TEST(DrainTest, WhatDoesNotFinishInTimeIsAnsweredUnavailable) {
  Gate gate;
  TestServer server(Held(gate));
  server.AddFakeModel();
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  std::thread caller([&] { code = Explain(server); });
  gate.AwaitArrivals(1);
  EXPECT_FALSE(Drain(
      {.delay = absl::ZeroDuration(), .timeout = absl::Milliseconds(50)},
      server.clock(), server.registry(), server.tracker(), EngineOf(server)));
  caller.join();
  gate.Open();
  EXPECT_EQ(code, grpc::StatusCode::UNAVAILABLE);
}

TEST(DrainTest, HealthGoesFirstAndCallsAreServedDuringTheDelay) {
  TestServer server;
  server.AddFakeModel();
  FakeClock clock;
  std::thread drainer([&] {
    Drain({.delay = absl::Seconds(5), .timeout = absl::Seconds(60)}, clock,
          server.registry(), server.tracker(), EngineOf(server));
  });
  clock.AwaitTimedWaiters(1);
  grpc::ClientContext context;
  HealthCheckResponse health;
  ASSERT_TRUE(server.health().Check(&context, {}, &health).ok());
  EXPECT_EQ(health.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Explain(server), grpc::StatusCode::OK);
  clock.Advance(absl::Seconds(5));
  drainer.join();
  EXPECT_EQ(Explain(server), grpc::StatusCode::UNAVAILABLE);
}

TEST(DrainTest, WatchesAreEnded) {
  TestServer server;
  server.AddFakeModel();
  grpc::ClientContext context;
  const auto watch = server.health().Watch(&context, {});
  HealthCheckResponse health;
  ASSERT_TRUE(watch->Read(&health));
  Drain({.delay = absl::ZeroDuration(), .timeout = absl::Seconds(60)},
        server.clock(), server.registry(), server.tracker(), EngineOf(server));
  while (watch->Read(&health)) {
    EXPECT_EQ(health.status(), HealthCheckResponse::NOT_SERVING);
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// Neither one that was opened and left, nor one that has begun.
TEST(DrainTest, IdleCalibrationsAreEnded) {
  TestServer server({.allow_calibration = true});
  server.AddFakeModel();
  grpc::ClientContext opened_context;
  const auto opened = server.models().CalibrateLayerWeights(&opened_context);
  CalibrationCaller begun(server.models());
  ASSERT_TRUE(begun.Send(FakeSettings()));
  ASSERT_TRUE(begun.Send(FakeImage(0, 1, {0})));
  while (server.explainer_log().Batches().empty()) std::this_thread::yield();
  EXPECT_TRUE(
      Drain({.delay = absl::ZeroDuration(), .timeout = absl::Minutes(10)},
            server.clock(), server.registry(), server.tracker(),
            [&](absl::Time deadline) {
              server.calibrations().Close();
              return server.engine().Drain(deadline);
            }));
  EXPECT_EQ(opened->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(begun.ReadToTheEnd().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(DrainTest, ACalibrationThatIsOpenedAfterwardsIsRefused) {
  TestServer server({.allow_calibration = true});
  server.tracker().Close();
  CalibrationCaller late(server.models());
  EXPECT_EQ(late.ReadToTheEnd().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

// A caller that goes on asking hears that the server has gone, never that it
// had cancelled its own call.
TEST(DrainTest, LateCallersHearUnavailable) {
  auto server = std::make_unique<TestServer>(
      TestServer::Options{.listen = {.address = "127.0.0.1:0"}});
  server->AddFakeModel();
  const std::string address = absl::StrCat("127.0.0.1:", server->port());
  std::atomic<bool> over = false;
  std::atomic<int> served = 0;
  std::atomic<int> unavailable = 0;
  std::atomic<int> others = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      const auto stub = v1::ModelService::NewStub(grpc::CreateCustomChannel(
          address, grpc::InsecureChannelCredentials(), arguments));
      while (!over) {
        grpc::ClientContext context;
        v1::ListModelsResponse response;
        const grpc::Status status = stub->ListModels(&context, {}, &response);
        if (status.ok()) {
          ++served;
        } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
          ++unavailable;
        } else {
          ++others;
          ADD_FAILURE() << status.error_code() << " " << status.error_message();
        }
      }
    });
  }
  while (served < 100) std::this_thread::yield();
  Drain({.delay = absl::ZeroDuration(), .timeout = absl::Seconds(60)},
        server->clock(), server->registry(), server->tracker(),
        EngineOf(*server));
  server->StopListening();
  over = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_GT(unavailable, 8) << "nobody came late";
  EXPECT_EQ(others, 0);
}

}  // namespace
}  // namespace saliency::drain_test
