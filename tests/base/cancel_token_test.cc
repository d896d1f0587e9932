#include "core/base/cancel_token.h"

#include <thread>

#include "gtest/gtest.h"

namespace saliency::cancel_token_test {
namespace {

TEST(CancelTokenTest, ListenerRunsOnceHoweverOftenCancelled) {
  CancelToken token;
  int runs = 0;
  token.SetListener([&] { ++runs; });
  EXPECT_FALSE(token.cancelled());
  token.Cancel();
  token.Cancel();
  EXPECT_TRUE(token.cancelled());
  EXPECT_EQ(runs, 1);
}

TEST(CancelTokenTest, ListenerSetAfterCancelRunsAtOnce) {
  CancelToken token;
  token.Cancel();
  int runs = 0;
  token.SetListener([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

TEST(CancelTokenTest, RemovedListenerDoesNotRun) {
  CancelToken token;
  int runs = 0;
  token.SetListener([&] { ++runs; });
  token.SetListener(nullptr);
  token.Cancel();
  EXPECT_EQ(runs, 0);
}

TEST(CancelTokenTest, ListenerSetWhileCancellingRunsExactlyOnce) {
  for (int trial = 0; trial < 200; ++trial) {
    CancelToken token;
    Mutex mu;
    int runs = 0;
    std::thread canceller([&] { token.Cancel(); });
    token.SetListener([&] {
      MutexLock lock(&mu);
      ++runs;
    });
    canceller.join();
    MutexLock lock(&mu);
    ASSERT_EQ(runs, 1);
  }
}

}  // namespace
}  // namespace saliency::cancel_token_test
