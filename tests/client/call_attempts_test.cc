#include "client/call_attempts.h"

#include <gtest/gtest.h>

#include <thread>

namespace saliency::call_attempts_test {
namespace {

TEST(CallAttemptsTest, AWaitLastsUntilItsTime) {
  CallAttempts attempts;
  EXPECT_FALSE(attempts.CancelledBefore(absl::InfinitePast()));
  const absl::Time time = absl::Now() + absl::Milliseconds(20);
  EXPECT_FALSE(attempts.CancelledBefore(time));
  EXPECT_GE(absl::Now(), time);
}

TEST(CallAttemptsTest, CancellingEndsAWait) {
  CallAttempts attempts;
  std::thread canceller([&] { attempts.Cancel(); });
  EXPECT_TRUE(attempts.CancelledBefore(absl::InfiniteFuture()));
  canceller.join();
  EXPECT_TRUE(attempts.CancelledBefore(absl::InfinitePast()))
      << "those to come as well";
}

}  // namespace
}  // namespace saliency::call_attempts_test
