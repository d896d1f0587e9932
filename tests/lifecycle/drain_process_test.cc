// SIGTERM for real: what callers hear while a server goes away, and with which
// code it ends.

#include <csignal>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "saliency/v1/model_service.pb.h"
#include "tests/end_to_end/wire.h"
#include "tests/lifecycle/load.h"
#include "tests/lifecycle/served.h"

namespace saliency::drain_process_test {
namespace {

using ::testing::HasSubstr;

// Exit codes of the server.
constexpr int kSecondSignal = 3;
constexpr int kDrainTimedOut = 4;

// Answers that the server says it gave, by its log.
int64_t AnswersInLog(const std::string& log) {
  int64_t answers = 0;
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    answers += absl::StrContains(line, "rpc=ComputeSaliency") &&
               absl::StrContains(line, "code=OK");
  }
  return answers;
}

TEST(DrainProcessTest, UnderLoadEveryAcceptedCallIsAnsweredAndTheExitIsZero) {
  ModelFolder models;
  AddModel(models);
  const auto server =
      Serve(models, {"--drain-delay=300ms", "--drain-timeout=1m"});
  ASSERT_TRUE(server->AwaitServing().ok());
  Load load({.callers = 6, .until_failure = true},
            [&] { return AskOnce(server->channel()); });
  ASSERT_TRUE(load.AwaitOk(30));
  server->process().Signal(SIGTERM);
  const absl::Time start = absl::Now();
  EXPECT_EQ(server->process().AwaitExit(), 0);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(300));
  load.Stop();
  // Whoever was let in has an answer; whoever came later was told to go.
  for (const auto& [outcome, count] : load.outcomes()) {
    EXPECT_TRUE(outcome == "OK" || absl::StartsWith(outcome, "UNAVAILABLE: "))
        << outcome << " x " << count;
  }
  EXPECT_EQ(AnswersInLog(server->process().err()), load.ok());
  EXPECT_THAT(server->process().err(), HasSubstr("stopped all_answered=yes"));
}

TEST(DrainProcessTest, HealthSaysSoAtOnceWhileCallsAreServedForTheDelay) {
  ModelFolder models;
  AddModel(models);
  const auto server = Serve(models, {"--drain-delay=24h"});
  ASSERT_TRUE(server->AwaitServing().ok());
  HealthWatch whole(server->channel(), "");
  HealthWatch model(server->channel(), "model/resnet");
  EXPECT_EQ(whole.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(model.Next(), HealthCheckResponse::SERVING);
  server->process().Signal(SIGTERM);
  EXPECT_EQ(whole.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(model.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(CheckHealth(server->channel(), ""),
            HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(AskOnce(server->channel()).ok());
  EXPECT_EQ(server->process().AwaitExit(absl::ZeroDuration()), std::nullopt);
  // Nobody waits a day: a second signal ends it.
  server->process().Signal(SIGTERM);
  EXPECT_EQ(server->process().AwaitExit(), kSecondSignal);
}

TEST(DrainProcessTest, SigintDrainsToo) {
  ModelFolder models;
  AddModel(models);
  const auto server = Serve(models);
  ASSERT_TRUE(server->AwaitServing().ok());
  server->process().Signal(SIGINT);
  EXPECT_EQ(server->process().AwaitExit(), 0);
}

// A terminal that closes may hang up twice; that is no second signal.
TEST(DrainProcessTest, SighupDrainsToo) {
  ModelFolder models;
  AddModel(models);
  const auto server = Serve(models, {"--drain-delay=200ms"});
  ASSERT_TRUE(server->AwaitServing().ok());
  HealthWatch whole(server->channel(), "");
  EXPECT_EQ(whole.Next(), HealthCheckResponse::SERVING);
  server->process().Signal(SIGHUP);
  EXPECT_EQ(whole.Next(), HealthCheckResponse::NOT_SERVING);
  server->process().Signal(SIGHUP);
  EXPECT_EQ(server->process().AwaitExit(), 0);
  EXPECT_THAT(server->process().err(), HasSubstr("stopped all_answered=yes"));
}

// As under nohup, from which it is inherited.
TEST(DrainProcessTest, SighupThatIsIgnoredStaysSo) {
  ModelFolder models;
  AddModel(models);
  std::signal(SIGHUP, SIG_IGN);
  const auto server = Serve(models);
  std::signal(SIGHUP, SIG_DFL);
  ASSERT_TRUE(server->AwaitServing().ok());
  server->process().Signal(SIGHUP);
  EXPECT_TRUE(AskOnce(server->channel()).ok());
  server->process().Signal(SIGTERM);
  EXPECT_EQ(server->process().AwaitExit(), 0);
}

TEST(DrainProcessTest, WhatIsNotDoneInTimeIsToldAndTheExitSaysSo) {
  ModelFolder models;
  AddModel(models);
  const auto server = Serve(models, {"--drain-timeout=0"});
  ASSERT_TRUE(server->AwaitServing().ok());
  // The server has asked itself questions before it was ready.
  const auto batches = [&] {
    return server->Metrics()->Sum("saliency_batch_rows_count");
  };
  const double before = batches();
  absl::Status answer;
  // Work for seconds.
  std::thread caller(
      [&] { answer = AskOnce(server->channel(), Question(/*rows=*/1000)); });
  while (batches() == before) std::this_thread::yield();
  server->process().Signal(SIGTERM);
  EXPECT_EQ(server->process().AwaitExit(), kDrainTimedOut);
  caller.join();
  EXPECT_EQ(answer.code(), absl::StatusCode::kUnavailable) << answer;
  EXPECT_THAT(server->process().err(), HasSubstr("stopped all_answered=no"));
}

// No caller waits for what is being loaded.
TEST(DrainProcessTest, AServerThatIsStillLoadingStops) {
  const ModelFolder models;
  const EndlessModel endless(models);
  const auto server = Serve(models);
  const auto client = ClientOf(*server);
  v1::ListModelsResponse listed;
  while (listed.models_size() == 0) listed = client->ListModels({}).value();
  EXPECT_EQ(listed.models(0).versions(0).state(), v1::MODEL_STATE_LOADING);
  EXPECT_EQ(server->Stop(), 0);
  EXPECT_THAT(server->process().err(), HasSubstr("stopped all_answered=yes"));
}

}  // namespace
}  // namespace saliency::drain_process_test
