#include "client/cli/ordered_fan_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

namespace saliency::ordered_fan_out_test {
namespace {

std::vector<int> Numbers(int count) {
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST(OrderedFanOutTest, FinishesInOrderOnTheCallingThread) {
  for (const int concurrency : {1, 2, 7, 64}) {
    SCOPED_TRACE(concurrency);
    Interrupt interrupt;
    std::vector<int> order;
    const std::thread::id caller = std::this_thread::get_id();
    const int finished =
        OrderedFanOut(50, concurrency, interrupt, [&](int index, const auto&) {
          return [&, index] {
            EXPECT_EQ(std::this_thread::get_id(), caller);
            order.push_back(index);
            return true;
          };
        });
    EXPECT_EQ(finished, 50);
    EXPECT_EQ(order, Numbers(50));
  }
}

TEST(OrderedFanOutTest, NothingToDoIsFine) {
  Interrupt interrupt;
  EXPECT_EQ(OrderedFanOut(0, 4, interrupt,
                          [](int, const auto&) { return [] { return true; }; }),
            0);
}

TEST(OrderedFanOutTest, ItemsRunAtTheSameTime) {
  Interrupt interrupt;
  absl::Notification second_runs;
  // The first item ends only once the second has begun.
  EXPECT_EQ(OrderedFanOut(2, 2, interrupt,
                          [&](int index, const auto&) {
                            if (index == 0) {
                              second_runs.WaitForNotification();
                            } else {
                              second_runs.Notify();
                            }
                            return [] { return true; };
                          }),
            2);
}

TEST(OrderedFanOutTest, SlowFirstItemBoundsHowMuchPilesUp) {
  Interrupt interrupt;
  std::atomic<int> begun = 0;
  std::atomic<int> begun_while_first_ran = 0;
  absl::Notification window_full;
  OrderedFanOut(100, 3, interrupt, [&](int index, const auto&) {
    if (++begun == 6) window_full.Notify();
    if (index == 0) {
      window_full.WaitForNotification();
      begun_while_first_ran = begun.load();
    }
    return [] { return true; };
  });
  EXPECT_EQ(begun_while_first_ran, 6) << "2 x concurrency";
}

TEST(OrderedFanOutTest, FinishThatSaysNoStopsTheTaking) {
  Interrupt interrupt;
  std::vector<int> order;
  const int finished =
      OrderedFanOut(1000, 2, interrupt, [&](int index, const auto&) {
        return [&, index] {
          order.push_back(index);
          return index < 3;
        };
      });
  EXPECT_GE(finished, 4);
  EXPECT_LE(finished, 4 + 4) << "those already taken";
  EXPECT_EQ(order, Numbers(finished));
}

TEST(OrderedFanOutTest, InterruptCancelsAndFinishesWhatWasTaken) {
  Interrupt interrupt;
  std::vector<int> order;
  std::atomic<int> cancelled = 0;
  const int finished =
      OrderedFanOut(1000, 2, interrupt,
                    [&](int index, const std::shared_ptr<CancelToken>& cancel) {
                      if (index == 5) interrupt.Raise();
                      if (cancel->cancelled()) ++cancelled;
                      return [&, index] {
                        order.push_back(index);
                        return true;
                      };
                    });
  EXPECT_GE(finished, 6);
  EXPECT_LE(finished, 6 + 4);
  EXPECT_GE(cancelled, 1);
  EXPECT_EQ(order, Numbers(finished));
}

TEST(InterruptTest, TokensHandedOutLaterAreCancelledToo) {
  Interrupt interrupt;
  const auto before = interrupt.NewToken();
  EXPECT_FALSE(before->cancelled());
  interrupt.Raise();
  EXPECT_TRUE(interrupt.raised());
  EXPECT_TRUE(before->cancelled());
  EXPECT_TRUE(interrupt.NewToken()->cancelled());
}

}  // namespace
}  // namespace saliency::ordered_fan_out_test
