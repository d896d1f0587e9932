// Tasks side by side on a clock that stands still until it is moved.

#include "server/loading/timed_tasks.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class TimedTasksTest : public testing::Test {
 protected:
  // A task that waits at `gate` and then notes that it is done.  The gate
  // outlives the test's objects, as what a thread holds must.
  TimedTask Task(const std::string& name, const std::shared_ptr<Gate>& gate) {
    return {.work =
                [this, name, gate] {
                  gate->Pass();
                  return [this, name] { Note(name + " done"); };
                },
            .give_up = [this, name] { Note(name + " given up"); },
            .ended_late =
                [this, name](absl::Duration took) {
                  Note(absl::StrCat(name, " late after ",
                                    absl::FormatDuration(took)));
                }};
  }
  static std::shared_ptr<Gate> Open() {
    auto gate = std::make_shared<Gate>();
    gate->Open();
    return gate;
  }
  static std::shared_ptr<Gate> Shut() { return std::make_shared<Gate>(); }

  void Note(std::string line) {
    MutexLock lock(&mu_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() {
    MutexLock lock(&mu_);
    return lines_;
  }

  FakeClock clock_;
  Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

TEST_F(TimedTasksTest, OneAtATimeRunsInOrder) {
  TimedTasks tasks({.at_once = 1, .limit = absl::Seconds(1)}, clock_);
  EXPECT_TRUE(
      tasks.Run({Task("a", Open()), Task("b", Open()), Task("c", Open())}));
  EXPECT_THAT(lines(), ElementsAre("a done", "b done", "c done"));
}

TEST_F(TimedTasksTest, NoTasksEndAtOnce) {
  TimedTasks tasks({}, clock_);
  EXPECT_TRUE(tasks.Run({}));
}

TEST_F(TimedTasksTest, AtMostAsManyAsAllowedRunAtATime) {
  TimedTasks tasks({.at_once = 2, .limit = absl::Seconds(1)}, clock_);
  const auto first = Shut(), third = Shut();
  std::thread run([&] {
    EXPECT_TRUE(
        tasks.Run({Task("a", first), Task("b", first), Task("c", third)}));
  });
  first->AwaitArrivals(2);
  EXPECT_THAT(lines(), ElementsAre());
  first->Open();
  third->AwaitArrivals(1);
  third->Open();
  run.join();
  EXPECT_THAT(lines(), UnorderedElementsAre("a done", "b done", "c done"));
  EXPECT_NE(lines().front(), "c done") << "it began when another ended";
}

TEST_F(TimedTasksTest, WhatIsGivenUpMakesRoomAndItsResultIsDropped) {
  TimedTasks tasks({.at_once = 1, .limit = absl::Seconds(5)}, clock_);
  const auto stalled = Shut(), second = Shut();
  std::thread run([&] {
    EXPECT_TRUE(tasks.Run({Task("stalled", stalled), Task("b", second)}));
  });
  stalled->AwaitArrivals(1);
  clock_.Advance(absl::Seconds(5));
  second->AwaitArrivals(1);
  EXPECT_THAT(lines(), ElementsAre("stalled given up"));
  clock_.Advance(absl::Seconds(1));
  stalled->Open();
  second->Open();
  run.join();
  EXPECT_THAT(lines(), UnorderedElementsAre("stalled given up",
                                            "stalled late after 6s", "b done"));
}

TEST_F(TimedTasksTest, WithoutALimitNothingIsGivenUp) {
  TimedTasks tasks({.at_once = 1}, clock_);
  const auto gate = Shut();
  std::thread run([&] { EXPECT_TRUE(tasks.Run({Task("a", gate)})); });
  gate->AwaitArrivals(1);
  clock_.Advance(absl::Hours(1000));
  gate->Open();
  run.join();
  EXPECT_THAT(lines(), ElementsAre("a done"));
}

TEST_F(TimedTasksTest, StoppedItBeginsNothingAndAwaitsWhatIsInItsTime) {
  TimedTasks tasks({.at_once = 1, .limit = absl::Seconds(5)}, clock_);
  const auto gate = Shut();
  std::thread run([&] {
    EXPECT_TRUE(tasks.Run({Task("a", gate), Task("b", Open())}));
  });
  gate->AwaitArrivals(1);
  tasks.Stop();
  gate->Open();
  run.join();
  EXPECT_THAT(lines(), ElementsAre("a done"));
}

TEST_F(TimedTasksTest, StoppedItLeavesBehindWhatWasGivenUp) {
  const auto stalled = Shut();
  TimedTask task = Task("stalled", stalled);
  // Nothing of this test may be touched once it is over.
  task.work = [stalled] {
    stalled->Pass();
    return [] {};
  };
  TimedTasks tasks({.at_once = 1, .limit = absl::Seconds(5)}, clock_);
  std::thread run([&] { EXPECT_FALSE(tasks.Run({task})); });
  stalled->AwaitArrivals(1);
  clock_.Advance(absl::Seconds(5));
  tasks.Stop();
  run.join();
  EXPECT_THAT(lines(), ElementsAre("stalled given up"));
  stalled->Open();
}

}  // namespace
}  // namespace saliency
