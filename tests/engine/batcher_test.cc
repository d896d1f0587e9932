#include "core/engine/batcher.h"

#include <ATen/ATen.h>

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
      absl::Time deadline = absl::InfiniteFuture()) {
    Job job = FakeJob(id);
    job.deadline = deadline;
    auto active = std::make_shared<ActiveJob>(std::move(job), answers_.For(id),
                                              admission_, observer_);
    PassItem& item = active->work().prepared.item;
    item.input = at::full({rows, 3, height, 8}, static_cast<double>(id));
    item.targets = {RankFromTop{}};
    EXPECT_TRUE(active->Admit(0).ok());
    return active;
  }

  static void Push(Batcher& batcher, const std::shared_ptr<ActiveJob>& job) {
    ASSERT_TRUE(batcher.Announce().ok());
    ASSERT_TRUE(batcher.Push(job).ok());
  }

  static std::vector<int> Ids(const Batcher::Batch& batch) {
    std::vector<int> ids;
    for (const auto& job : batch) {
      ids.push_back(
          static_cast<int>(*job->work().prepared.item.input.data_ptr<float>()));
    }
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
      job->work().prepared.item.meta = {
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
  batcher.Retire();
  worker.join();
}

TEST_F(BatcherTest, RetiringRunsWhatWasAnnouncedWithoutDelayThenEnds) {
  Batcher batcher(
      {.max_rows = 8, .max_requests = 8, .max_delay = absl::Seconds(1)},
      clock_);
  Push(batcher, MakeJob(0));
  ASSERT_TRUE(batcher.Announce().ok());
  batcher.Retire();
  EXPECT_EQ(batcher.Announce().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(0));
  ASSERT_TRUE(batcher.Push(MakeJob(1)).ok());
  EXPECT_THAT(Ids(batcher.Pull()), ElementsAre(1));
  EXPECT_THAT(batcher.Pull(), IsEmpty());
}

TEST_F(BatcherTest, TheLastWithdrawalEndsEverySleepingWorker) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  ASSERT_TRUE(batcher.Announce().ok());
  batcher.Retire();
  std::thread first([&] { EXPECT_THAT(batcher.Pull(), IsEmpty()); });
  std::thread second([&] { EXPECT_THAT(batcher.Pull(), IsEmpty()); });
  batcher.Withdraw();
  first.join();
  second.join();
}

TEST_F(BatcherTest, FailingHandsOutTheQueueAndTakesNothingMore) {
  Batcher batcher({.max_rows = 8, .max_requests = 8}, clock_);
  Push(batcher, MakeJob(0));
  Push(batcher, MakeJob(1));
  ASSERT_TRUE(batcher.Announce().ok());
  const absl::Status why = absl::UnavailableError("gone");
  EXPECT_THAT(Ids(batcher.Fail(why)), ElementsAre(0, 1));
  EXPECT_EQ(batcher.Push(MakeJob(2)), why);
  EXPECT_EQ(batcher.Announce(), why);
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
  ASSERT_TRUE(job->Admit(10).ok());
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

}  // namespace
}  // namespace saliency::batcher_test
