#include "core/base/thread_pool.h"

#include <atomic>

#include "gtest/gtest.h"

namespace saliency::thread_pool_test {
namespace {

TEST(ThreadPoolTest, DestructorRunsEverythingQueued) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool(3);
    for (int i = 0; i < 1000; ++i) pool.Schedule([&] { ++done; });
  }
  EXPECT_EQ(done, 1000);
}

TEST(ThreadPoolTest, WorkMayScheduleMoreWork) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool(1);
    pool.Schedule([&] {
      ++done;
      pool.Schedule([&] { ++done; });
    });
  }
  EXPECT_EQ(done, 2);
}

TEST(ThreadPoolTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    ThreadPool pool(1);
    for (int i = 0; i < 10; ++i)
      pool.Schedule([&order, i] { order.push_back(i); });
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order[i], i);
}

}  // namespace
}  // namespace saliency::thread_pool_test
