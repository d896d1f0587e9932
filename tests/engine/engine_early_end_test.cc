// Jobs that the engine turns away or gives up: past their deadline, left by
// their caller, one too many for the queue, or overtaken by its own end.

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/engine/engine.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/fakes.h"

namespace saliency::engine_early_end_test {
namespace {

using absl::StatusCode;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(EngineTest, ADeadlineThatPassedIsAnsweredAtOnce) {
  const auto engine = Serve();
  Job job = FakeJob(0);
  job.deadline = clock_.Now();
  engine->Submit(std::move(job), answers_.For(0));
  ASSERT_TRUE(answers_.has(0));
  EXPECT_EQ(CodeOf(0), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(observer_.lines(), ElementsAre("expired admission"));
}

TEST_F(EngineTest, ADeadlineThatPassesInTheQueueIsNeverRun) {
  const auto engine = Serve(HoldAtGate());
  engine->Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  Job job = FakeJob(1);
  job.deadline = clock_.Now() + absl::Seconds(1);
  engine->Submit(std::move(job), answers_.For(1));
  clock_.Advance(absl::Seconds(1));
  gate_.Open();
  answers_.Await(1);
  EXPECT_EQ(CodeOf(1), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(log_.Ids(), ElementsAre(0));
}

TEST_F(EngineTest, ADeadlineThatPassesDuringThePassIsNotRendered) {
  const auto engine = Serve(HoldAtGate());
  Job job = FakeJob(0);
  job.deadline = clock_.Now() + absl::Seconds(1);
  engine->Submit(std::move(job), answers_.For(0));
  gate_.AwaitArrivals(1);
  clock_.Advance(absl::Seconds(2));
  gate_.Open();
  answers_.Await(0);
  EXPECT_EQ(CodeOf(0), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(observer_.lines(), Contains("expired render"));
}

TEST_F(EngineTest, ACancelledJobLeavesTheQueueAndFreesItsPlaceAtOnce) {
  const auto engine = Serve(HoldAtGate(), {.limits = {.queue_items = 1}});
  engine->Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  Job job = FakeJob(1);
  const auto cancel = std::make_shared<CancelToken>();
  job.cancel = cancel;
  engine->Submit(std::move(job), answers_.For(1));
  engine->Submit(FakeJob(2), answers_.For(2));
  EXPECT_EQ(CodeOf(2), StatusCode::kResourceExhausted);
  cancel->Cancel();
  ASSERT_TRUE(answers_.has(1));
  EXPECT_EQ(CodeOf(1), StatusCode::kCancelled);
  engine->Submit(FakeJob(3), answers_.For(3));
  gate_.Open();
  answers_.Await(3);
  EXPECT_TRUE(answers_.of(3).ok());
  EXPECT_THAT(log_.Ids(), ElementsAre(0, 3));
}

TEST_F(EngineTest, AJobCancelledBeforeItCameIsNotRun) {
  const auto engine = Serve();
  Job job = FakeJob(0);
  job.cancel = std::make_shared<CancelToken>();
  job.cancel->Cancel();
  engine->Submit(std::move(job), answers_.For(0));
  ASSERT_TRUE(answers_.has(0));
  EXPECT_EQ(CodeOf(0), StatusCode::kCancelled);
  EXPECT_THAT(log_.Batches(), IsEmpty());
}

TEST_F(EngineTest, AJobCancelledDuringItsPassIsAnsweredAtOnceAndOnce) {
  const auto engine = Serve(HoldAtGate());
  Job job = FakeJob(0);
  const auto cancel = std::make_shared<CancelToken>();
  job.cancel = cancel;
  engine->Submit(std::move(job), answers_.For(0));
  gate_.AwaitArrivals(1);
  cancel->Cancel();
  ASSERT_TRUE(answers_.has(0));
  EXPECT_EQ(CodeOf(0), StatusCode::kCancelled);
  EXPECT_THAT(observer_.lines(), Contains("cancelled pass"));
  gate_.Open();
  EXPECT_TRUE(engine->Drain(absl::InfiniteFuture()));
  EXPECT_EQ(answers_.total(), 1);
}

// All that the engine hears of a caller's deadline may be that it leaves.
TEST_F(EngineTest, ACallerThatLeavesAtItsDeadlineHasExpiredAndNotCancelled) {
  const auto engine = Serve(HoldAtGate());
  std::vector<std::shared_ptr<CancelToken>> callers;
  for (int i = 0; i < 3; ++i) {
    Job job = FakeJob(i);
    job.deadline = clock_.Now() + absl::Seconds(10);
    callers.push_back(std::make_shared<CancelToken>());
    job.cancel = callers.back();
    engine->Submit(std::move(job), answers_.For(i));
    if (i == 0) gate_.AwaitArrivals(1);
  }
  clock_.Advance(absl::Seconds(5));
  callers[1]->Cancel();
  EXPECT_EQ(CodeOf(1), StatusCode::kCancelled);
  // Its own clock runs a little before ours.
  clock_.Advance(absl::Milliseconds(4950));
  callers[0]->Cancel();
  callers[2]->Cancel();
  EXPECT_EQ(CodeOf(0), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(CodeOf(2), StatusCode::kDeadlineExceeded);
  // Those that wait may still be on their way to the queue.
  int expired = 0;
  int cancelled = 0;
  for (const std::string& line : observer_.lines()) {
    expired += absl::StartsWith(line, "expired ");
    cancelled += absl::StartsWith(line, "cancelled ");
  }
  EXPECT_EQ(expired, 2);
  EXPECT_EQ(cancelled, 1);
  gate_.Open();
  EXPECT_TRUE(engine->Drain(absl::InfiniteFuture()));
}

TEST_F(EngineTest, AFullQueueRefusesAtOnceNamingValueAndLimit) {
  const auto engine = Serve(HoldAtGate(), {.limits = {.queue_items = 2}});
  engine->Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  for (int i = 1; i < 4; ++i) engine->Submit(FakeJob(i), answers_.For(i));
  ASSERT_TRUE(answers_.has(3));
  EXPECT_EQ(
      answers_.of(3).status(),
      absl::ResourceExhaustedError("queue full: 2 items waiting (limit 2)"));
  EXPECT_FALSE(NeverRetry(answers_.of(3).status()));
  EXPECT_EQ(engine->load().queued_items, 2);
  EXPECT_EQ(engine->load().in_flight, 3);
  gate_.Open();
  for (int i = 0; i < 3; ++i) answers_.Await(i);
}

TEST_F(EngineTest, AQueueFullByBytesRefusesAtOnceNamingValueAndLimit) {
  // Two and a bit of what each takes.
  const JobCost cost =
      PlanJob(FakeJob(0), FakeModel(), EngineLimits()).value().cost;
  const int64_t bytes = cost.input_bytes + cost.answer_bytes;
  const auto engine =
      Serve(HoldAtGate(), {.limits = {.queue_bytes = 2 * bytes + 10}});
  engine->Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  engine->Submit(FakeJob(1), answers_.For(1));
  engine->Submit(FakeJob(2), answers_.For(2));
  ASSERT_TRUE(answers_.has(2));
  EXPECT_EQ(answers_.of(2).status(),
            absl::ResourceExhaustedError(
                absl::StrCat("queue full: ", bytes, " bytes on top of ",
                             2 * bytes, " held (limit ", 2 * bytes + 10, ")")));
  EXPECT_FALSE(NeverRetry(answers_.of(2).status()));
  gate_.Open();
  EXPECT_TRUE(engine->Drain(absl::InfiniteFuture()));
}

// What of an answer is not taken counts, and leaves no room for more.
TEST_F(EngineTest, AnswersThatAreHeldFillTheQueue) {
  const JobCost cost =
      PlanJob(FakeJob(0), FakeModel(), EngineLimits()).value().cost;
  const int64_t bytes = cost.input_bytes + cost.answer_bytes;
  const auto engine = Serve(nullptr, {.limits = {.queue_bytes = bytes + 100}});
  Answers held(1);
  engine->Submit(FakeJob(0), held.For(0));
  held.Await(0);
  const int64_t answer_bytes = BytesOf(*held.of(0));
  while (engine->load().queued_bytes != answer_bytes) {
    std::this_thread::yield();  // until the engine has let go of the job
  }
  engine->Submit(FakeJob(1), answers_.For(1));
  answers_.Await(1);
  EXPECT_EQ(CodeOf(1), StatusCode::kResourceExhausted);
}

TEST_F(EngineTest, OneCallerHasAShareOfTheQueueAlone) {
  const auto engine =
      Serve(HoldAtGate(), {.limits = {.queue_items = 4, .caller_share = 0.5}});
  const auto submit = [&](int id, const std::string& caller) {
    Job job = FakeJob(id);
    job.caller = caller;
    engine->Submit(std::move(job), answers_.For(id));
  };
  submit(0, "a");
  gate_.AwaitArrivals(1);
  for (int id = 1; id < 4; ++id) submit(id, "a");
  ASSERT_TRUE(answers_.has(3));
  EXPECT_EQ(answers_.of(3).status(),
            absl::ResourceExhaustedError(
                "queue full: 2 items of this caller waiting (limit 2)"));
  for (int id = 4; id < 6; ++id) submit(id, "b");
  EXPECT_FALSE(answers_.has(4));
  EXPECT_FALSE(answers_.has(5));
  submit(6, "c");
  EXPECT_EQ(
      answers_.of(6).status(),
      absl::ResourceExhaustedError("queue full: 4 items waiting (limit 4)"));
  gate_.Open();
  for (const int id : {0, 1, 2, 4, 5}) {
    answers_.Await(id);
    EXPECT_TRUE(answers_.of(id).ok());
  }
}

// Callers take turns: one with more in the queue than the others would wait for
// longer than it takes to work off all of it.
TEST_F(EngineTest, CallersHaveEqualPartsOfAQueueThatFillsUp) {
  const auto engine =
      Serve(HoldAtGate(), {.limits = {.queue_items = 12, .caller_share = 0.5}});
  int id = 0;
  const auto submit = [&](const std::string& caller) {
    Job job = FakeJob(id);
    job.caller = caller;
    engine->Submit(std::move(job), answers_.For(id));
    return id++;
  };
  submit("z");
  gate_.AwaitArrivals(1);
  // While there is room one may have its share.
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(answers_.has(submit("a")));
  EXPECT_FALSE(answers_.has(submit("b")));
  // Two callers, six each; then three, four each.
  EXPECT_FALSE(answers_.has(submit("a")));
  EXPECT_FALSE(answers_.has(submit("c")));
  const int sixth = submit("a");
  ASSERT_TRUE(answers_.has(sixth));
  EXPECT_EQ(answers_.of(sixth).status(),
            absl::ResourceExhaustedError(
                "queue full: 6 items of this caller waiting (limit 4)"));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(answers_.has(submit("c")));
  const int fifth = submit("c");
  ASSERT_TRUE(answers_.has(fifth));
  EXPECT_EQ(answers_.of(fifth).status(),
            absl::ResourceExhaustedError(
                "queue full: 4 items of this caller waiting (limit 4)"));
  EXPECT_FALSE(answers_.has(submit("b")));
  gate_.Open();
  EXPECT_TRUE(engine->Drain(absl::Now() + absl::Seconds(60)));
}

TEST_F(EngineTest, AnInputLargerThanTheWholeQueueNeedNotComeBack) {
  const auto engine = Serve(nullptr, {.limits = {.queue_bytes = 1000}});
  engine->Submit(FakeJob(0), answers_.For(0));
  EXPECT_EQ(CodeOf(0), StatusCode::kResourceExhausted);
  EXPECT_TRUE(NeverRetry(answers_.of(0).status()));
}

TEST_F(EngineTest, DrainingFinishesWhatIsInAndRefusesWhatComes) {
  const auto engine = Serve(nullptr, {}, absl::Hours(1));
  for (int i = 0; i < 5; ++i) engine->Submit(FakeJob(i), answers_.For(i));
  EXPECT_TRUE(engine->Drain(absl::InfiniteFuture()));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(answers_.of(i).ok());
  engine->Submit(FakeJob(5), answers_.For(5));
  EXPECT_EQ(answers_.of(5).status(),
            absl::UnavailableError("the server is shutting down"));
}

TEST_F(EngineTest, WhatIsNotDoneWhenDrainingEndsIsUnavailable) {
  const auto engine = Serve(HoldAtGate());
  engine->Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  engine->Submit(FakeJob(1), answers_.For(1));
  bool in_time = true;
  std::thread drain(
      [&] { in_time = engine->Drain(clock_.Now() + absl::Seconds(30)); });
  clock_.AwaitTimedWaiters(1);
  clock_.Advance(absl::Seconds(30));
  drain.join();
  EXPECT_FALSE(in_time);
  EXPECT_EQ(CodeOf(0), StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(1), StatusCode::kUnavailable);
  gate_.Open();
}

TEST_F(EngineTest, DestructionAnswersEverything) {
  auto engine = Serve(HoldAtGate());
  engine->Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  for (int i = 1; i < 9; ++i) engine->Submit(FakeJob(i), answers_.For(i));
  std::thread opener([this] {
    answers_.Await(0);
    gate_.Open();
  });
  engine.reset();
  opener.join();
  EXPECT_EQ(answers_.total(), 9);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(CodeOf(i), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace saliency::engine_early_end_test
