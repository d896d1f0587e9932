// The metrics add up: whatever mix of calls comes, each is counted once, with
// labels that no caller can invent.

#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

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
      request.set_model("invented-by-a-caller");
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
  loading.catalogue().Set({.model = "fake", .version = 1});
  Call(loading, 0);
  EXPECT_EQ(loading.Metric("saliency_refused_total", {{"reason", "loading"}}),
            1);
  EXPECT_EQ(loading.Metric("saliency_model_state",
                           {{"model", "fake"}, {"state", "loading"}}),
            1);
  EXPECT_EQ(loading.Metric("saliency_model_state", {{"state", "ready"}}), 0);
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

}  // namespace
}  // namespace saliency::server_metrics_test
