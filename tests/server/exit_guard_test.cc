#include "server/exit_guard.h"

#include <unistd.h>

#include <string>

#include "absl/time/clock.h"
#include "core/base/clock.h"
#include "gtest/gtest.h"
#include "server/telemetry/log.h"

namespace saliency::exit_guard_test {
namespace {

void HangUnderAGuard() {
  Log log({}, STDERR_FILENO);
  ExitGuard guard(Clock::Real(), log);
  guard.Arm(Clock::Real().Now() + absl::Milliseconds(10), 4);
  absl::SleepFor(absl::Minutes(10));  // as a pass that nobody can break off
}

TEST(ExitGuardDeathTest, AProcessThatHangsLeavesWithItsCode) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(HangUnderAGuard(), testing::ExitedWithCode(4),
              "still running: leaving");
}

TEST(ExitGuardDeathTest, ALogThatNobodyReadsDoesNotHoldItUp) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Log log(LogFormat::kText, LogLevel::kInfo,
                [](const std::string&) { absl::SleepFor(absl::Minutes(10)); });
        ExitGuard guard(Clock::Real(), log);
        guard.Arm(Clock::Real().Now(), 4);
        absl::SleepFor(absl::Minutes(10));
      },
      testing::ExitedWithCode(4), "");
}

TEST(ExitGuardTest, OneThatEndsInTimeIsNotHeldUp) {
  Log log({}, STDERR_FILENO);
  const absl::Time start = absl::Now();
  {
    ExitGuard guard(Clock::Real(), log);
    guard.Arm(Clock::Real().Now() + absl::Minutes(10), 4);
  }
  { ExitGuard never_armed(Clock::Real(), log); }
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
}

}  // namespace
}  // namespace saliency::exit_guard_test
