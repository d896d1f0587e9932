#include "core/base/deadline.h"

#include "gtest/gtest.h"

namespace saliency::deadline_test {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);
const absl::Time kArrived = absl::FromUnixSeconds(1'000'000);

bool Left(absl::Duration after, absl::Duration timeout) {
  return LeftByDeadline(kArrived, kArrived + after, kArrived + timeout);
}

TEST(LeftByDeadlineTest, AtAndAfterTheDeadlineItWasTheReason) {
  EXPECT_TRUE(Left(100 * kMs, 100 * kMs));
  EXPECT_TRUE(Left(absl::Hours(1), 100 * kMs));
}

// 1001 ms travels as 1010 ms, 10.01 s as 10.1 s.
TEST(LeftByDeadlineTest, SoItWasWithinWhatGrpcRoundsUp) {
  EXPECT_TRUE(Left(1001 * kMs, 1010 * kMs));
  EXPECT_TRUE(Left(10'010 * kMs, 10'100 * kMs));
  EXPECT_TRUE(Left(85 * kMs, 100 * kMs)) << "a busy connection";
}

TEST(LeftByDeadlineTest, BeforeThatTheCallerChangedItsMind) {
  EXPECT_FALSE(Left(0 * kMs, 100 * kMs));
  EXPECT_FALSE(Left(70 * kMs, 100 * kMs));
  EXPECT_FALSE(Left(14 * kMs, 20 * kMs));
  EXPECT_FALSE(Left(absl::Seconds(58), absl::Seconds(60)));
}

TEST(LeftByDeadlineTest, WhoHasNoDeadlineChangedItsMind) {
  EXPECT_FALSE(
      LeftByDeadline(kArrived, absl::InfiniteFuture(), absl::InfiniteFuture()));
  EXPECT_FALSE(LeftByDeadline(kArrived, kArrived + absl::Hours(100'000),
                              absl::InfiniteFuture()));
}

TEST(LeftByDeadlineTest, ADeadlineThousandsOfYearsAwayIsNoReason) {
  EXPECT_FALSE(Left(absl::Hours(1), absl::Hours(99'999'999)));
}

}  // namespace
}  // namespace saliency::deadline_test
