// The metrics add up: whatever mix of calls comes, each is counted once, with
// labels that no caller can invent.

#include <chrono>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::server_metrics_test {
namespace {

// One of five kinds of call; returns the code that came back.
grpc::StatusCode Call(TestServer& server, int kind) {
  grpc::ClientContext context;
  v1::ComputeSaliencyRequest request = FakeRequest();
  v1::ComputeSaliencyResponse response;
  switch (kind) {
    case 0:
      break;
    case 1:
      request.mutable_model()->set_name("invented-by-a-caller");
      break;
    case 2:
      request.add_targets()->set_class_index(1000);
      break;
    case 3: {
      v1::GetModelResponse model;
      return server.models().GetModel(&context, {}, &model).error_code();
    }
    default: {
      v1::ListModelsResponse models;
      return server.models().ListModels(&context, {}, &models).error_code();
    }
  }
  return server.saliency()
      .ComputeSaliency(&context, request, &response)
      .error_code();
}

TEST(ServerMetricsTest, EveryCallIsCountedOnceUnderItsCode) {
  TestServer server;
  server.AddFakeModel();
  constexpr int kCallers = 4;
  constexpr int kCallsEach = 50;
  std::vector<std::map<grpc::StatusCode, int>> seen(kCallers);
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([&, c] {
      std::mt19937 random(c);
      for (int i = 0; i < kCallsEach; ++i) {
        ++seen[c][Call(server, static_cast<int>(random() % 5))];
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  std::map<grpc::StatusCode, int> total;
  for (const auto& codes : seen) {
    for (const auto& [code, count] : codes) total[code] += count;
  }
  const std::string name = "saliency_requests_total";
  EXPECT_EQ(server.Metric(name), kCallers * kCallsEach);
  EXPECT_EQ(server.Metric(name, {{"code", "OK"}}), total[grpc::StatusCode::OK]);
  EXPECT_EQ(server.Metric(name, {{"code", "NOT_FOUND"}}),
            total[grpc::StatusCode::NOT_FOUND]);
  EXPECT_EQ(server.Metric(name, {{"code", "INVALID_ARGUMENT"}}),
            total[grpc::StatusCode::INVALID_ARGUMENT]);
  EXPECT_EQ(server.Metric("saliency_request_duration_seconds"),
            kCallers * kCallsEach);
}

TEST(ServerMetricsTest, UnknownModelsShareOneLabel) {
  TestServer server;
  server.AddFakeModel();
  Call(server, 1);
  EXPECT_EQ(server.Metric("saliency_requests_total",
                          {{"model", "unknown"}, {"code", "NOT_FOUND"}}),
            1);
  EXPECT_EQ(server.Metric("saliency_requests_total",
                          {{"model", "invented-by-a-caller"}}),
            0);
}

TEST(ServerMetricsTest, AnAnswerLeavesItsTraceInEveryStage) {
  TestServer server;
  server.AddFakeModel();
  ASSERT_EQ(Call(server, 0), grpc::StatusCode::OK);
  EXPECT_EQ(
      server.Metric("saliency_requests_total", {{"rpc", "ComputeSaliency"},
                                                {"model", "fake"},
                                                {"version", "1"},
                                                {"code", "OK"}}),
      1);
  EXPECT_EQ(server.Metric("saliency_batch_rows"), 1);
  EXPECT_EQ(server.Metric("saliency_batch_requests"), 1);
  EXPECT_EQ(server.Metric("saliency_queue_duration_seconds"), 1);
  EXPECT_EQ(server.Metric("saliency_rows_total",
                          {{"model", "fake"}, {"method", "norm_grad"}}),
            1);
  for (const char* stage :
       {"decode", "forward", "backward", "aggregate", "render"}) {
    EXPECT_EQ(
        server.Metric("saliency_stage_duration_seconds", {{"stage", stage}}), 1)
        << stage;
  }
  EXPECT_EQ(server.Metric("saliency_queue_depth"), 0);
  EXPECT_EQ(server.Metric("saliency_build_info"), 1);
  // Given back once the answer has gone, perhaps after it was read here.
  while (server.Metric("saliency_queue_bytes") != 0) {
    std::this_thread::yield();
  }
}

TEST(ServerMetricsTest, AModelsQueueTimeIsZeroBeforeItsFirstRequest) {
  Metrics metrics;
  metrics.ObserveModelLoad("net", absl::Seconds(1));
  LogLines lines;
  Log log(LogFormat::kJson, LogLevel::kDebug, lines.Sink());
  EngineReporter reporter(*metrics.registry(), log, [] {});
  const auto counts = [&] {
    std::vector<uint64_t> found;
    for (const prometheus::MetricFamily& family :
         metrics.registry()->Collect()) {
      if (family.name != "saliency_queue_duration_seconds") continue;
      for (const prometheus::ClientMetric& metric : family.metric) {
        EXPECT_EQ(metric.label.at(0).value, "net");
        found.push_back(metric.histogram.sample_count);
      }
    }
    return found;
  };
  EXPECT_EQ(counts(), std::vector<uint64_t>{0});
  reporter.OnQueued("net", absl::Milliseconds(1));
  EXPECT_EQ(counts(), std::vector<uint64_t>{1});
}

TEST(ServerMetricsTest, RefusalsAreCountedByReason) {
  TestServer full({.submit = [](Job, JobDone done) {
    done(absl::ResourceExhaustedError("full"));
  }});
  full.AddFakeModel();
  Call(full, 0);
  EXPECT_EQ(full.Metric("saliency_refused_total", {{"reason", "queue_full"}}),
            1);
  EXPECT_EQ(
      full.Metric("saliency_requests_total", {{"code", "RESOURCE_EXHAUSTED"}}),
      1);
  TestServer loading;
  loading.table().Reserve("fake", 1);
  Call(loading, 0);
  EXPECT_EQ(loading.Metric("saliency_refused_total", {{"reason", "loading"}}),
            1);
  EXPECT_EQ(loading.Metric("saliency_model_state",
                           {{"model", "fake"}, {"state", "loading"}}),
            1);
  EXPECT_EQ(loading.Metric("saliency_model_state", {{"state", "ready"}}), 0);
}

TEST(ServerMetricsTest, WhatAModelsSelfCheckFoundIsSeen) {
  TestServer server;
  server.AddFakeModel();
  const prometheus::Labels fake = {{"model", "fake"}, {"version", "1"}};
  EXPECT_EQ(server.Metric("saliency_model_rows_independent", fake), 1);
  EXPECT_EQ(server.Metric("saliency_model_deterministic", fake), 1);
  auto metadata = std::make_shared<ModelMetadata>();
  metadata->self_check = {.rows_independent = false, .deterministic = false};
  server.table().Publish(
      {.model = "noise", .version = 1, .metadata = std::move(metadata)},
      NoWorkers());
  const prometheus::Labels noise = {{"model", "noise"}, {"version", "1"}};
  EXPECT_EQ(server.Metric("saliency_model_rows_independent", noise), 0);
  EXPECT_EQ(server.Metric("saliency_model_deterministic", noise), 0);
}

TEST(ServerMetricsTest, MemoryOfTheCpuIsSeen) {
  TestServer server;
  server.AddFakeModel();
  // LibTorch alone takes as much.
  EXPECT_GT(server.Metric("saliency_device_memory_bytes",
                          {{"device", "cpu"}, {"kind", "resident"}}),
            10e6);
}

TEST(ServerMetricsTest, WhatIsInFlightIsSeen) {
  Gate gate;
  TestServer server({.hook = [&](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  }});
  server.AddFakeModel();
  std::thread caller([&] { Call(server, 0); });
  gate.AwaitArrivals(1);
  EXPECT_EQ(server.Metric("saliency_in_flight"), 1);
  EXPECT_GT(server.Metric("saliency_queue_bytes"), 0);
  gate.Open();
  caller.join();
}

// Of 2,000 calls that ran out of time 1,550 were counted as cancelled.
TEST(ServerMetricsTest, ClientsDeadlinesCountAsSuchAndNotAsCancellations) {
  Gate gate;
  TestServer server({.hook =
                         [&gate](const std::vector<int>&) {
                           gate.Pass();
                           return absl::OkStatus();
                         },
                     .listen = {.address = "127.0.0.1:0"}});
  server.AddFakeModel();
  // By the network, where a deadline is rounded up on its way.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto stub = v1::SaliencyService::NewStub(
      grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server.port()),
                                grpc::InsecureChannelCredentials(), arguments));
  constexpr int kCalls = 40;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    callers.emplace_back([&stub, i] {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::milliseconds(100 + 37 * i));
      v1::ComputeSaliencyResponse response;
      EXPECT_EQ(stub->ComputeSaliency(&context, FakeRequest(), &response)
                    .error_code(),
                grpc::StatusCode::DEADLINE_EXCEEDED);
    });
  }
  for (std::thread& caller : callers) caller.join();
  // The server may hear of the last ones a moment later.
  const auto count = [&](const char* code) {
    return server.Metric("saliency_requests_total",
                         {{"rpc", "ComputeSaliency"}, {"code", code}});
  };
  while (count("DEADLINE_EXCEEDED") + count("CANCELLED") < kCalls) {
    std::this_thread::yield();
  }
  // On a busy machine a call may be on its way for longer than the allowance,
  // which moves the deadline that the server sees.
  const double expired = count("DEADLINE_EXCEEDED");
  EXPECT_GE(expired, 0.8 * kCalls);
  EXPECT_EQ(server.Metric("saliency_expired_total"), expired);
  EXPECT_EQ(server.Metric("saliency_cancelled_total"), kCalls - expired);
  gate.Open();
}

TEST(ServerMetricsTest, ACallerThatChangesItsMindCountsAsCancelled) {
  Gate gate;
  TestServer server({.hook = [&gate](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  }});
  server.AddFakeModel();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::hours(1));
  std::thread caller([&] {
    v1::ComputeSaliencyResponse response;
    server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  });
  gate.AwaitArrivals(1);
  context.TryCancel();
  caller.join();
  while (server.Metric("saliency_requests_total", {{"code", "CANCELLED"}}) <
         1) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server.Metric("saliency_cancelled_total"), 1);
  EXPECT_EQ(server.Metric("saliency_expired_total"), 0);
  gate.Open();
}

// 64 bits of nanoseconds end in 2262.
TEST(ServerMetricsTest, ADeadlineInTheFarFutureHasNotPassed) {
  TestServer server;
  server.AddFakeModel();
  for (const int64_t years : {200, 240, 300, 5000}) {
    grpc::ClientContext context;
    gpr_timespec deadline = gpr_now(GPR_CLOCK_REALTIME);
    deadline.tv_sec += years * 365 * 24 * 3600;
    context.set_deadline(deadline);
    v1::ComputeSaliencyResponse response;
    const grpc::Status status =
        server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
    EXPECT_TRUE(status.ok()) << years << ": " << status.error_message();
  }
}

}  // namespace
}  // namespace saliency::server_metrics_test
