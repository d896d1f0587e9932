#include "core/engine/run/batcher.h"

#include <ATen/ATen.h>

#include <string>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::batcher_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Jobs that are decoded already, as a batcher meets them.
class BatcherTest : public testing::Test {
 protected:
  std::shared_ptr<ActiveJob> MakeJob(
      int id, int64_t rows = 1, int64_t height = 8,
      absl::Time deadline = absl::InfiniteFuture(),
      const std::string& caller = "") {
    Job job = FakeJob(id);
    job.deadline = deadline;
    job.caller = caller;
    auto active = std::make_shared<ActiveJob>(std::move(job), answers_.For(id),
                                              admission_, observer_);
    PassItem& item = active->work().prepared.item;
    item.input = at::full({rows, 3, height, 8}, static_cast<double>(id));
    item.targets = {RankFromTop{}};
    EXPECT_TRUE(active->Admit(JobCost()).ok());
    return active;
  }

  static void Push(Batcher& batcher, const std::shared_ptr<ActiveJob>& job) {
    ASSERT_TRUE(batcher.Reserve().ok());
    ASSERT_TRUE(batcher.Push(job).ok());
  }

  std::shared_ptr<ActiveJob> JobOf(const std::string& caller, int id,
                                   int64_t rows = 1) {
    return MakeJob(id, rows, 8, absl::InfiniteFuture(), caller);
  }

  static int IdOf(ActiveJob& job) {
    return static_cast<int>(*job.work().prepared.item.input.data_ptr<float>());
  }
  static std::vector<int> Ids(const Batcher::Batch& batch) {
    std::vector<int> ids;
    for (const BatchSlice& part : batch) ids.push_back(IdOf(*part.job));
    return ids;
  }
  static std::vector<int> Ids(const Batcher::Jobs& jobs) {
    std::vector<int> ids;
    for (const auto& job : jobs) ids.push_back(IdOf(*job));
    return ids;
  }

  FakeClock clock_;
  RecordingObserver observer_;
  Answers answers_{8};
  std::shared_ptr<Admission> admission_ = std::make_shared<Admission>(8, 1000);
};

TEST_F(BatcherTest, TakesTheOldestAndWhatIsCompatibleWithIt) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  Push(batcher, MakeJob(0, 1, 8));
  Push(batcher, MakeJob(1, 1, 16));
  Push(batcher, MakeJob(2, 1, 8));
  Push(batcher, MakeJob(3, 1, 16));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0, 2));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1, 3));
}

TEST_F(BatcherTest, SteppedItemsMeetSteppedOnesAloneWhateverTheirSteps) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  for (int id = 0; id < 5; ++id) {
    const auto job = MakeJob(id);
    if (id % 2 == 1) {
      job->work().prepared.item.variants.front().meta = {
          .epsilon = 0.1 * id,
          .direction =
              id == 1 ? MetaDirection::kDescent : MetaDirection::kAscent,
          .loss = id == 1 ? MetaLoss::kCrossEntropy
                          : MetaLoss::kBinaryCrossEntropy};
    }
    Push(batcher, job);
  }
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0, 2, 4));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1, 3));
}

TEST_F(BatcherTest, RowsBoundABatchAndNobodyOvertakes) {
  Batcher batcher({.max_rows = 4, .max_requests = 8}, clock_);
  Push(batcher, MakeJob(0, 3));
  Push(batcher, MakeJob(1, 2));
  Push(batcher, MakeJob(2, 1));
  Push(batcher, MakeJob(3, 5));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1, 2));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(3));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(3));
}

TEST_F(BatcherTest, ALongJobGoesSliceBySliceAndOthersHaveTheirTurn) {
  Batcher batcher({.max_rows = 4, .max_requests = 8}, clock_);
  Push(batcher, JobOf("long", 0, 10));
  const Batcher::Batch first = batcher.Pull();
  EXPECT_THAT(Ids(first), ElementsAre(0));
  EXPECT_EQ(first[0].slice.first_image, 0);
  EXPECT_EQ(first[0].slice.rows(), 4);
  Push(batcher, JobOf("short", 1));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
  const Batcher::Batch second = batcher.Pull();
  EXPECT_EQ(second[0].slice.first_image, 4);
  // Its last two rows leave room for others.
  Push(batcher, JobOf("short", 2, 2));
  const Batcher::Batch third = batcher.Pull();
  EXPECT_THAT(Ids(third), testing::UnorderedElementsAre(0, 2));
}

TEST_F(BatcherTest, TheJobsOfOneCallerTakeTurnsToo) {
  Batcher batcher({.max_rows = 4, .max_requests = 8}, clock_);
  Push(batcher, MakeJob(0, 12));
  Push(batcher, MakeJob(1, 8));
  Push(batcher, MakeJob(2, 1));
  std::vector<std::vector<int>> batches;
  for (int i = 0; i < 6; ++i) batches.push_back(Ids(batcher.Pull()));
  using Ones = std::vector<int>;
  EXPECT_THAT(batches, ElementsAre(Ones{0}, Ones{1}, Ones{2}, Ones{0}, Ones{1},
                                   Ones{0}));
}

TEST_F(BatcherTest, ManyJobsOfOneCallerDoNotHoldUpAnother) {
  Batcher batcher({.max_rows = 2, .max_requests = 2}, clock_);
  for (int id = 0; id < 6; ++id) Push(batcher, JobOf("many", id));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0, 1));
  Push(batcher, JobOf("few", 6));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(6, 2));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(3, 4));
  Push(batcher, JobOf("few", 7));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(7, 5));
}

TEST_F(BatcherTest, RowsOfAReferenceStepGoOneByOne) {
  Batcher batcher({.max_rows = 8, .max_requests = 8, .max_stepped_rows = 1},
                  clock_);
  for (int id = 0; id < 2; ++id) {
    const auto job = MakeJob(id, 2);
    job->work().prepared.item.variants.front().meta = MetaStep();
    Push(batcher, job);
  }
  for (const int id : {0, 1, 0, 1}) {
    const Batcher::Batch batch = batcher.Pull();
    EXPECT_THAT(Ids(batch), ElementsAre(id));
    EXPECT_EQ(batch[0].slice.rows(), 1);
  }
}

TEST_F(BatcherTest, LargeInputsMakeSmallBatches) {
  Batcher batcher({.max_rows = 4, .max_requests = 8, .input_pixels = 8 * 8},
                  clock_);
  for (int id = 0; id < 3; ++id) Push(batcher, MakeJob(id, 1, 16));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0, 1));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(2));
}

TEST_F(BatcherTest, WhatIsLeftOfACancelledJobIsNotHandedOut) {
  Batcher batcher({.max_rows = 2, .max_requests = 8}, clock_);
  const auto job = MakeJob(0, 6);
  Push(batcher, job);
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0));
  job->Cancel();
  Push(batcher, MakeJob(1));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
}

TEST_F(BatcherTest, ADeadlineThatPassesBetweenSlicesEndsTheJob) {
  Batcher batcher({.max_rows = 2, .max_requests = 8}, clock_);
  Push(batcher, MakeJob(0, 6, 8, clock_.Now() + absl::Seconds(1)));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0));
  clock_.Advance(absl::Seconds(1));
  Push(batcher, MakeJob(1));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
  EXPECT_EQ(answers_.of(0).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BatcherTest, ExpiredJobsAreAnsweredAndNotHandedOut) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  Push(batcher, MakeJob(0, 1, 8, clock_.Now() + absl::Seconds(1)));
  Push(batcher, MakeJob(1));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
  EXPECT_EQ(answers_.of(0).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(admission_->load().queued_items, 0);
}

TEST_F(BatcherTest, AnsweredJobsAreNotHandedOut) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  const auto job = MakeJob(0);
  const auto next = MakeJob(1);  // alive, or it would answer for itself
  Push(batcher, job);
  Push(batcher, next);
  job->Cancel();
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
  EXPECT_EQ(answers_.total(), 1);
}

TEST_F(BatcherTest, RemovedJobsAreNotHandedOut) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  const auto job = MakeJob(0);
  Push(batcher, job);
  Push(batcher, MakeJob(1));
  batcher.Remove(job.get());
  batcher.Remove(job.get());
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
}

TEST_F(BatcherTest, AnIdleWorkerWaitsForCompanyUntilTheDelay) {
  Batcher batcher(
      {.max_rows = 8, .max_requests = 8, .max_delay = absl::Seconds(1)},
      clock_);
  std::vector<int> ids;
  std::thread worker([&] { ids = Ids(batcher.Pull()); });
  Push(batcher, MakeJob(0));
  clock_.AwaitTimedWaiters(1);
  Push(batcher, MakeJob(1));
  clock_.Advance(absl::Seconds(1));
  worker.join();
  EXPECT_THAT(ids, ElementsAre(0, 1));
}

TEST_F(BatcherTest, AFullBatchDoesNotWait) {
  Batcher batcher(
      {.max_rows = 2, .max_requests = 8, .max_delay = absl::Seconds(1)},
      clock_);
  Push(batcher, MakeJob(0));
  Push(batcher, MakeJob(1));
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0, 1));
}

TEST_F(BatcherTest, ASleepingWorkerAnswersAnExpiredJobOfAnotherSize) {
  Batcher batcher(
      {.max_rows = 8, .max_requests = 8, .max_delay = absl::Seconds(10)},
      clock_);
  Push(batcher, MakeJob(0, 1, 8));
  Push(batcher, MakeJob(1, 1, 16, clock_.Now() + absl::Seconds(2)));
  std::thread worker([&] { batcher.Pull(); });
  clock_.AwaitTimedWaiters(1);
  clock_.Advance(absl::Seconds(2));
  answers_.Await(1);
  EXPECT_EQ(answers_.of(1).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  batcher.Close();
  worker.join();
}

TEST_F(BatcherTest, RetiringRunsWhatWasAnnouncedWithoutDelayThenEnds) {
  Batcher batcher(
      {.max_rows = 8, .max_requests = 8, .max_delay = absl::Seconds(1)},
      clock_);
  Push(batcher, MakeJob(0));
  ASSERT_TRUE(batcher.Reserve().ok());
  batcher.Close();
  EXPECT_EQ(batcher.Reserve().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0));
  ASSERT_TRUE(batcher.Push(MakeJob(1)).ok());
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
  EXPECT_THAT(batcher.Pull(), IsEmpty());
}

TEST_F(BatcherTest, TheLastWithdrawalEndsEverySleepingWorker) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  ASSERT_TRUE(batcher.Reserve().ok());
  batcher.Close();
  std::thread first([&] { EXPECT_THAT(batcher.Pull(), IsEmpty()); });
  std::thread second([&] { EXPECT_THAT(batcher.Pull(), IsEmpty()); });
  batcher.Release();
  first.join();
  second.join();
}

TEST_F(BatcherTest, FailingHandsOutTheQueueAndTakesNothingMore) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  Push(batcher, MakeJob(0));
  Push(batcher, MakeJob(1));
  ASSERT_TRUE(batcher.Reserve().ok());
  const absl::Status why = absl::UnavailableError("gone");
  EXPECT_THAT(Ids(batcher.Fail(why)), ElementsAre(0, 1));
  EXPECT_EQ(batcher.Push(MakeJob(2)), why);
  EXPECT_EQ(batcher.Reserve(), why);
  EXPECT_THAT(batcher.Pull(), IsEmpty());
}

TEST(ActiveJobTest, OnlyTheFirstAnswerCounts) {
  Answers answers(1);
  RecordingObserver observer;
  const auto admission = std::make_shared<Admission>(1, 1);
  const auto job = std::make_shared<ActiveJob>(FakeJob(0), answers.For(0),
                                               admission, observer);
  EXPECT_TRUE(job->Answer(Explanation()));
  EXPECT_FALSE(job->Answer(absl::AbortedError("late")));
  job->Cancel();
  job->Expire();
  EXPECT_TRUE(answers.of(0).ok());
  EXPECT_EQ(answers.total(), 1);
  EXPECT_THAT(observer.lines(), IsEmpty());
}

TEST(ActiveJobTest, AForgottenJobAnswersForItself) {
  Answers answers(1);
  RecordingObserver observer;
  const auto admission = std::make_shared<Admission>(1, 10);
  auto job = std::make_shared<ActiveJob>(FakeJob(7), answers.For(0), admission,
                                         observer);
  ASSERT_TRUE(job->Admit({.input_bytes = 6, .answer_bytes = 4}).ok());
  EXPECT_EQ(admission->load().queued_bytes, 10);
  job.reset();
  EXPECT_EQ(answers.of(0).status(),
            absl::InternalError("internal error, request id \"request-7\""));
  EXPECT_THAT(
      observer.lines(),
      ElementsAre("fault request-7: the job was dropped without an answer"));
  EXPECT_EQ(admission->load().queued_items, 0);
  EXPECT_EQ(admission->load().queued_bytes, 0);
  EXPECT_EQ(admission->load().in_flight, 0);
}

TEST(ActiveJobTest, AnAnswersBytesAreHeldUntilItGoes) {
  Answers answers(1);
  RecordingObserver observer;
  const auto admission = std::make_shared<Admission>(1, 10'000);
  auto job = std::make_shared<ActiveJob>(FakeJob(7), answers.For(0), admission,
                                         observer);
  ASSERT_TRUE(job->Admit({.input_bytes = 6, .answer_bytes = 9000}).ok());
  Explanation answer;
  answer.results.emplace_back().data.assign(100, 'x');
  const int64_t held = BytesOf(answer);
  EXPECT_TRUE(job->Answer(answer));
  EXPECT_EQ(admission->load().queued_bytes, 6 + held);
  job.reset();
  EXPECT_EQ(admission->load().queued_bytes, held);
  answer = *answers.of(0);  // as a call that is being sent
  EXPECT_NE(answer.hold, nullptr);
}

}  // namespace
}  // namespace saliency::batcher_test
