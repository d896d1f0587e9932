#include "core/engine/run/batch_policy.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace saliency::batch_policy_test {
namespace {

const absl::Time kArrival = absl::UnixEpoch() + absl::Seconds(100);
constexpr absl::Duration kDelay = absl::Milliseconds(10);

struct Case {
  std::string name;
  std::vector<int64_t> rows;
  absl::Duration waited;
  BatchLimits limits = {.max_rows = 8, .max_requests = 4, .max_delay = kDelay};
  absl::Duration deadline = absl::InfiniteDuration();  // after the arrival
  Arrivals arrivals = Arrivals::kOpen;
  int take = 0;
  absl::Duration wake = absl::InfiniteDuration();  // after the arrival
};

class BatchPolicyTest : public testing::TestWithParam<Case> {};

TEST_P(BatchPolicyTest, Decides) {
  const Case& c = GetParam();
  const BatchDecision decision =
      DecideBatch({.rows = c.rows,
                   .oldest_arrival = kArrival,
                   .earliest_deadline = kArrival + c.deadline,
                   .arrivals = c.arrivals},
                  kArrival + c.waited, c.limits);
  EXPECT_EQ(decision.take, c.take);
  EXPECT_EQ(decision.wake, kArrival + c.wake);
}

constexpr absl::Duration kZero = absl::ZeroDuration();
constexpr absl::Duration kTick = absl::Nanoseconds(1);

INSTANTIATE_TEST_SUITE_P(
    Table, BatchPolicyTest,
    testing::Values(
        Case{.name = "NobodyWaits"},
        Case{.name = "OneWaitsForCompany", .rows = {1}, .wake = kDelay},
        Case{.name = "SomeWaitForMore", .rows = {1, 2, 1}, .wake = kDelay},
        Case{.name = "JustBeforeTheDelay",
             .rows = {1},
             .waited = kDelay - kTick,
             .wake = kDelay},
        Case{.name = "AtTheDelay", .rows = {1}, .waited = kDelay, .take = 1},
        Case{.name = "LongAfterTheDelay",
             .rows = {1, 3},
             .waited = kDelay * 100,
             .take = 2},
        Case{.name = "NoDelayRunsAtOnce",
             .rows = {1},
             .limits = {.max_rows = 8, .max_requests = 4},
             .take = 1},
        Case{.name = "FullByRequests", .rows = {1, 1, 1, 1}, .take = 4},
        Case{.name = "MoreThanFullByRequests",
             .rows = {1, 1, 1, 1, 1},
             .take = 4},
        Case{.name = "FullByRows", .rows = {4, 4}, .take = 2},
        Case{.name = "OneShortOfFullByRows", .rows = {4, 3}, .wake = kDelay},
        Case{.name = "TheNextDoesNotFit", .rows = {4, 3, 2}, .take = 2},
        Case{.name = "NobodyOvertakes", .rows = {4, 5, 1}, .take = 1},
        Case{.name = "ExactlyMaxRowsAlone", .rows = {8}, .take = 1},
        Case{.name = "MoreThanMaxRowsRunsAlone", .rows = {9}, .take = 1},
        Case{
            .name = "MoreThanMaxRowsTakesNoCompany", .rows = {9, 1}, .take = 1},
        Case{.name = "LargeOneWaitsForItsTurn", .rows = {1, 9}, .take = 1},
        Case{.name = "OneRequestAtATime",
             .rows = {1, 1},
             .limits = {.max_rows = 8, .max_requests = 1, .max_delay = kDelay},
             .take = 1},
        Case{.name = "HugeRowsDoNotOverflow",
             .rows = {int64_t{1} << 62, int64_t{1} << 62},
             .take = 1},
        Case{.name = "DeadlineInsideTheDelay",
             .rows = {1},
             .deadline = kDelay - kTick,
             .take = 1},
        Case{.name = "DeadlineAtTheDelay",
             .rows = {1},
             .deadline = kDelay,
             .take = 1},
        Case{.name = "DeadlineJustAfterTheDelay",
             .rows = {1},
             .deadline = kDelay + kTick,
             .wake = kDelay},
        Case{.name = "NobodyCanJoin",
             .rows = {1, 2},
             .waited = kZero,
             .arrivals = Arrivals::kEnded,
             .take = 2},
        Case{.name = "NobodyCanJoinAndNobodyWaits",
             .arrivals = Arrivals::kEnded}),
    [](const auto& test) { return test.param.name; });

// Whatever waits: what is taken fits, and a full batch is never left waiting.
TEST(BatchPolicyPropertyTest, TakesNoMoreThanFitsAndAllThatFits) {
  for (int64_t max_rows = 1; max_rows <= 6; ++max_rows) {
    for (int requests = 1; requests <= 4; ++requests) {
      for (int code = 0; code < 4 * 4 * 4 * 4; ++code) {
        const std::vector<int64_t> rows = {1 + code % 4, 1 + code / 4 % 4,
                                           1 + code / 16 % 4, 1 + code / 64};
        SCOPED_TRACE(testing::Message()
                     << "max_rows " << max_rows << " max_requests " << requests
                     << " code " << code);
        const BatchDecision decision = DecideBatch(
            {.rows = rows, .oldest_arrival = kArrival}, kArrival + kDelay,
            {.max_rows = max_rows,
             .max_requests = requests,
             .max_delay = kDelay});
        ASSERT_GE(decision.take, 1);
        ASSERT_LE(decision.take, requests);
        int64_t sum = 0;
        for (int i = 0; i < decision.take; ++i) sum += rows[i];
        EXPECT_TRUE(sum <= max_rows || decision.take == 1);
        if (decision.take < requests && decision.take < 4) {
          EXPECT_GT(sum + rows[decision.take], max_rows);
        }
      }
    }
  }
}

}  // namespace
}  // namespace saliency::batch_policy_test
