#include "server/telemetry/freed_memory.h"

#include "gtest/gtest.h"

namespace saliency::freed_memory_test {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

// Samples every second of a heap that has `beside` next to it.
class FreedMemoryTest : public testing::Test {
 protected:
  // A second later; returns whether it was given back.
  bool Second(int64_t resident, int64_t in_use, bool has_work) {
    now_ += absl::Seconds(1);
    if (!freed_.Sample(now_, Use(resident, in_use), has_work)) return false;
    freed_.Returned(Use(in_use + kBeside, in_use));
    return true;
  }
  static HeapUse Use(int64_t resident, int64_t in_use) {
    return {.resident_bytes = resident * kMiB, .in_use_bytes = in_use * kMiB};
  }

  static constexpr int64_t kBeside = 300;
  absl::Time now_ = absl::UnixEpoch();
  FreedMemory freed_{
      {.after = absl::Seconds(5), .keep_bytes = int64_t{512} * kMiB}};
};

TEST_F(FreedMemoryTest, AllOfItGoesAfterATimeWithoutWork) {
  ASSERT_TRUE(Second(400, 50, false));  // the first tells what is no heap
  EXPECT_FALSE(Second(1000, 600, true));
  int seconds = 0;
  while (!Second(1000, 100, false)) ++seconds;
  // From the first sample without work.
  EXPECT_EQ(seconds, 5);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Second(400, 100, false));
}

TEST_F(FreedMemoryTest, WithWorkOnlyWhatIsBeyondTheBound) {
  ASSERT_TRUE(Second(400, 50, false));
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Second(kBeside + 100 + 500, 100, true));
  }
  int seconds = 0;
  while (!Second(kBeside + 100 + 600, 100, true)) ++seconds;
  EXPECT_EQ(seconds, 5);
}

TEST_F(FreedMemoryTest, WhatIsNeededNowAndThenStays) {
  ASSERT_TRUE(Second(400, 50, false));
  for (int i = 0; i < 60; ++i) {
    const int64_t in_use = i % 4 == 0 ? 900 : 100;  // a pass every 4 s
    EXPECT_FALSE(Second(kBeside + 1000, in_use, true));
  }
}

TEST_F(FreedMemoryTest, ZeroKeepsItForEver) {
  FreedMemory never({.after = absl::ZeroDuration(), .keep_bytes = 1});
  for (int i = 0; i < 60; ++i) {
    now_ += absl::Seconds(10);
    EXPECT_FALSE(never.Sample(now_, Use(9000, 1), false));
  }
}

}  // namespace
}  // namespace saliency::freed_memory_test
