#include "client/cli/load_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <vector>

#include "core/base/mutex.h"

namespace saliency::load_run_test {
namespace {

using ::testing::ElementsAre;

// Time that only calls and waiting move: who waits for a time is there at once.
class SteppingClock final : public Clock {
 public:
  absl::Time Now() override { return absl::FromUnixMillis(milliseconds_); }
  bool AwaitWithDeadline(Mutex* mu, const absl::Condition& condition,
                         absl::Time deadline) override {
    if (deadline == absl::InfiniteFuture()) {
      mu->Await(condition);
      return true;
    }
    if (deadline > Now()) milliseconds_ = absl::ToUnixMillis(deadline);
    return condition.Eval();
  }
  void Advance(int milliseconds) { milliseconds_ += milliseconds; }

 private:
  std::atomic<int64_t> milliseconds_ = 1'000'000;
};

class LoadRunTest : public ::testing::Test {
 protected:
  // Runs without ticks.
  LoadResult Run(const LoadOptions& options, const MakeCall& call) {
    return RunLoad(options, clock_, interrupt_, call, absl::InfiniteDuration(),
                   [](const LoadCounts&, absl::Duration) {});
  }
  // A call that takes this long.
  MakeCall Taking(int milliseconds) {
    return [this, milliseconds](int64_t, const auto&) {
      clock_.Advance(milliseconds);
      return CallOutcome{.batch_requests = 2};
    };
  }

  SteppingClock clock_;
  Interrupt interrupt_;
};

std::vector<int64_t> Milliseconds(const std::vector<absl::Duration>& times) {
  std::vector<int64_t> result;
  for (const absl::Duration time : times) {
    result.push_back(absl::ToInt64Milliseconds(time));
  }
  return result;
}

TEST_F(LoadRunTest, ClosedLoopCallsAgainWhenAnswered) {
  const LoadResult result = Run({.calls = 4}, Taking(30));
  EXPECT_THAT(Milliseconds(result.latencies), ElementsAre(30, 30, 30, 30));
  EXPECT_EQ(result.elapsed, absl::Milliseconds(120));
  EXPECT_EQ(result.batch_requests, 2);
  EXPECT_EQ(result.late, 0);
}

// Call i is due at 10 i ms and answered at 30 (i + 1) ms.
TEST_F(LoadRunTest, OpenLoopChargesTheWaitOfCallsThatWereDue) {
  const LoadResult result = Run({.rate = 100, .calls = 5}, Taking(30));
  EXPECT_THAT(Milliseconds(result.latencies), ElementsAre(30, 50, 70, 90, 110));
  EXPECT_EQ(result.late, 4);
}

TEST_F(LoadRunTest, OpenLoopWaitsUntilCallsAreDue) {
  const LoadResult result = Run({.rate = 100, .calls = 5}, Taking(1));
  EXPECT_THAT(Milliseconds(result.latencies), ElementsAre(1, 1, 1, 1, 1));
  EXPECT_EQ(result.elapsed, absl::Milliseconds(41));
  EXPECT_EQ(result.late, 0);
}

TEST_F(LoadRunTest, NoCallIsDueAfterTheDuration) {
  const LoadOptions closed = {.duration = absl::Milliseconds(95)};
  EXPECT_EQ(Run(closed, Taking(10)).latencies.size(), 10U);
  const LoadOptions open = {.rate = 100, .duration = absl::Milliseconds(95)};
  EXPECT_EQ(Run(open, Taking(1)).latencies.size(), 10U);
  EXPECT_EQ(Run(open, Taking(40)).latencies.size(), 10U)
      << "what was due is made, however late";
}

TEST_F(LoadRunTest, ThatManyCallersCallAtOnceAndEachIndexOnce) {
  Mutex mu;
  int inside = 0;
  int most = 0;
  std::set<int64_t> seen;
  const auto three_came = [&] { return most == 3; };
  const LoadResult result =
      Run({.callers = 3, .calls = 30}, [&](int64_t index, const auto&) {
        MutexLock lock(&mu);
        most = std::max(most, ++inside);
        mu.Await(absl::Condition(&three_came));
        --inside;
        EXPECT_TRUE(seen.insert(index).second) << index;
        return CallOutcome();
      });
  EXPECT_EQ(most, 3);
  EXPECT_EQ(result.latencies.size(), 30U);
  EXPECT_EQ(*seen.begin(), 0);
  EXPECT_EQ(*seen.rbegin(), 29);
}

TEST_F(LoadRunTest, ErrorsAreCountedByCodeWithTheFirstMessage) {
  const LoadResult result = Run({.calls = 6}, [](int64_t index, const auto&) {
    if (index % 3 == 0) return CallOutcome{absl::InternalError("")};
    if (index % 3 == 1) return CallOutcome{.batch_requests = 1};
    return CallOutcome{
        absl::ResourceExhaustedError(index == 2 ? "first" : "second")};
  });
  EXPECT_EQ(result.latencies.size(), 2U);
  EXPECT_EQ(result.failed(), 4);
  EXPECT_EQ(result.errors.at(absl::StatusCode::kInternal).count, 2);
  const LoadError& full =
      result.errors.at(absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(full.count, 2);
  EXPECT_EQ(full.message, "first");
}

TEST_F(LoadRunTest, InterruptEndsTheRunAndTellsWhatIsLeft) {
  const LoadResult result =
      Run({.calls = 100}, [&](int64_t index, const auto& cancel) {
        if (index == 2) interrupt_.Raise();
        return CallOutcome{cancel->cancelled() ? absl::CancelledError()
                                               : absl::OkStatus()};
      });
  EXPECT_EQ(result.latencies.size(), 2U);
  EXPECT_EQ(result.failed(), 0);
  EXPECT_EQ(result.left, 98);
}

TEST_F(LoadRunTest, TicksTellHowFarTheRunIs) {
  Mutex mu;
  bool ticked = false;
  const auto done = [&] { return ticked; };
  int64_t answered = -1;
  RunLoad(
      {.calls = 2}, Clock::Real(), interrupt_,
      [&](int64_t index, const auto&) {
        MutexLock lock(&mu);
        if (index == 1) mu.Await(absl::Condition(&done));
        return CallOutcome();
      },
      absl::Milliseconds(1),
      [&](const LoadCounts& counts, absl::Duration elapsed) {
        EXPECT_GE(elapsed, absl::Milliseconds(1));
        MutexLock lock(&mu);
        answered = counts.answered;
        ticked = answered == 1;
      });
  EXPECT_EQ(answered, 1);
}

}  // namespace
}  // namespace saliency::load_run_test
