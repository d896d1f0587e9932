#include "core/base/thread_pool.h"

#include <atomic>
#include <string>
#include <vector>

#include "gmock/gmock.h"
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

TEST(ThreadPoolTest, CallersTakeTurns) {
  std::vector<std::string> order;
  {
    ThreadPool pool(1);
    const auto add = [&](const std::string& caller, int count) {
      for (int i = 0; i < count; ++i) {
        pool.Schedule([&order, caller] { order.push_back(caller); }, caller);
      }
    };
    // On the pool's thread, so that none of it runs before all is there.
    pool.Schedule([&] {
      add("many", 5);
      add("few", 2);
      add("one", 1);
    });
  }
  EXPECT_THAT(order, testing::ElementsAre("many", "few", "one", "many", "few",
                                          "many", "many", "many"));
}

}  // namespace
}  // namespace saliency::thread_pool_test
