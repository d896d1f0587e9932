#include "client/cli/load_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace saliency::load_summary_test {
namespace {

std::vector<absl::Duration> UpTo(int count) {
  std::vector<absl::Duration> times;
  for (int i = 1; i <= count; ++i) times.push_back(absl::Milliseconds(i));
  return times;
}

TEST(PercentileTest, IsTheNearestRank) {
  const std::vector<absl::Duration> hundred = UpTo(100);
  EXPECT_EQ(Percentile(hundred, 0.5), absl::Milliseconds(50));
  EXPECT_EQ(Percentile(hundred, 0.9), absl::Milliseconds(90));
  EXPECT_EQ(Percentile(hundred, 0.99), absl::Milliseconds(99));
  EXPECT_EQ(Percentile(hundred, 1), absl::Milliseconds(100));
  const std::vector<absl::Duration> five = UpTo(5);
  EXPECT_EQ(Percentile(five, 0.5), absl::Milliseconds(3));
  EXPECT_EQ(Percentile(five, 0.9), absl::Milliseconds(5));
  EXPECT_EQ(Percentile(five, 0.01), absl::Milliseconds(1));
  EXPECT_EQ(Percentile(UpTo(1), 0.99), absl::Milliseconds(1));
}

LoadResult SomeResult() {
  LoadResult result;
  result.latencies = UpTo(100);
  std::swap(result.latencies.front(), result.latencies.back());
  result.batch_requests = 7.5;
  result.elapsed = absl::Seconds(4);
  result.late = 3;
  result.errors[absl::StatusCode::kResourceExhausted] = {12, "queue\nfull"};
  result.errors[absl::StatusCode::kDeadlineExceeded] = {1, "too late"};
  return result;
}

TEST(LoadSummaryTest, TextOfAClosedLoop) {
  LoadResult result = SomeResult();
  result.late = 0;
  EXPECT_EQ(LoadText({.callers = 16}, result),
            "closed loop, 16 callers: 100 answered in 4.0s, 25/s\n"
            "latency: p50 50 ms, p90 90 ms, p99 99 ms, max 100 ms\n"
            "requests per batch: 7.5\n"
            "errors: DEADLINE_EXCEEDED 1 (\"too late\"), RESOURCE_EXHAUSTED 12 "
            "(\"queue full\")\n");
}

TEST(LoadSummaryTest, TextOfAnOpenLoopThatFellBehind) {
  LoadResult result = SomeResult();
  result.errors.clear();
  EXPECT_EQ(LoadText({.callers = 8, .rate = 30}, result),
            "open loop, 30/s, at most 8 at once: 100 answered in 4.0s, 25/s\n"
            "latency: p50 50 ms, p90 90 ms, p99 99 ms, max 100 ms\n"
            "requests per batch: 7.5\n"
            "started late: 3, since all 8 callers were busy\n");
}

TEST(LoadSummaryTest, JsonHoldsTheSameFigures) {
  const auto json =
      nlohmann::json::parse(LoadJson({.callers = 8, .rate = 30}, SomeResult()));
  EXPECT_EQ(json["mode"], "open");
  EXPECT_EQ(json["callers"], 8);
  EXPECT_EQ(json["rate"], 30);
  EXPECT_EQ(json["answered"], 100);
  EXPECT_EQ(json["per_second"], 25);
  EXPECT_NEAR(json["latency_seconds"]["p99"], 0.099, 1e-9);
  EXPECT_EQ(json["batch_requests"], 7.5);
  EXPECT_EQ(json["errors"]["RESOURCE_EXHAUSTED"], 12);
  EXPECT_EQ(json["late"], 3);
}

TEST(LoadSummaryTest, NothingAnsweredHasNoLatency) {
  LoadResult result;
  result.errors[absl::StatusCode::kUnavailable] = {2, "gone"};
  EXPECT_EQ(LoadText({.callers = 1}, result),
            "closed loop, 1 caller: 0 answered in 0.0s, 0/s\n"
            "errors: UNAVAILABLE 2 (\"gone\")\n");
  const auto json = nlohmann::json::parse(LoadJson({}, result));
  EXPECT_FALSE(json.contains("latency_seconds"));
  EXPECT_EQ(json["errors"]["UNAVAILABLE"], 2);
}

}  // namespace
}  // namespace saliency::load_summary_test
