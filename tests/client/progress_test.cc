#include "client/cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "client/cli/console.h"

namespace saliency::progress_test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class ManualClock : public Clock {
 public:
  absl::Time Now() override { return now_; }
  bool AwaitWithDeadline(Mutex*, const absl::Condition&,
                         absl::Time) override ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return false;
  }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1000);
};

TEST(ProgressTextTest, TellsRateAndRemainingTime) {
  EXPECT_EQ(ProgressText(0, 100, "images", absl::Seconds(3)), "0/100 images");
  EXPECT_EQ(ProgressText(25, 100, "images", absl::Seconds(10)),
            "25/100 images, 2.5/s, 30s left");
  EXPECT_EQ(ProgressText(100, 100, "images", absl::Seconds(40)),
            "100/100 images, 2.5/s");
  EXPECT_EQ(ProgressText(1, 7200, "maps", absl::Seconds(1)),
            "1/7200 maps, 1.0/s, 1h59m59s left");
}

TEST(ProgressTest, TerminalGetsABarThatHides) {
  ManualClock clock;
  std::ostringstream err;
  Progress progress({.total = 2, .terminal = true}, err, clock);
  clock.Advance(absl::Seconds(1));
  progress.Advance();
  EXPECT_THAT(err.str(),
              HasSubstr("[###############...............] 1/2 images"));
  progress.Hide();
  EXPECT_THAT(err.str(), EndsWith("\r\x1b[K"));
}

TEST(ProgressTest, TerminalIsToldOfTheSamplesOfASingleItem) {
  ManualClock clock;
  std::ostringstream err;
  Progress progress({.total = 1, .terminal = true}, err, clock);
  clock.Advance(absl::Seconds(10));
  progress.ShowSamples(250, 1000);
  EXPECT_THAT(err.str(), HasSubstr("[#######.......................] "
                                   "250/1000 samples, 25.0/s, 30s left"));
  progress.ShowSamples(0, 0);
  progress.Hide();
  EXPECT_THAT(err.str(), EndsWith("\r\x1b[K"));
}

TEST(ProgressTest, TerminalIsToldOfSamplesBesideItems) {
  ManualClock clock;
  std::ostringstream err;
  Progress progress({.total = 2, .terminal = true}, err, clock);
  clock.Advance(absl::Seconds(1));
  progress.ShowSamples(40, 1000);
  EXPECT_THAT(err.str(), HasSubstr("[..............................] "
                                   "0/2 images; 40/1000 samples"));
}

TEST(ProgressTest, AFileIsToldOfNoSamples) {
  ManualClock clock;
  std::ostringstream err;
  Progress progress({.total = 1}, err, clock);
  progress.ShowSamples(40, 1000);
  EXPECT_EQ(err.str(), "");
}

TEST(ProgressTest, FileGetsPlainLinesNowAndThen) {
  ManualClock clock;
  std::ostringstream err;
  Progress progress({.total = 10}, err, clock);
  for (int i = 0; i < 10; ++i) {
    clock.Advance(absl::Seconds(2));
    progress.Advance();
  }
  EXPECT_EQ(err.str(),
            "3/10 images, 0.5/s, 14s left\n"
            "6/10 images, 0.5/s, 8s left\n"
            "9/10 images, 0.5/s, 2s left\n"
            "10/10 images, 0.5/s\n");
}

TEST(ProgressTest, OneItemNeedsNone) {
  ManualClock clock;
  std::ostringstream err;
  Progress progress({.total = 1, .terminal = true}, err, clock);
  progress.Advance();
  EXPECT_EQ(err.str(), "");
}

TEST(ErrorTextTest, IsOneLineWithWhatToDoNext) {
  EXPECT_EQ(
      ErrorText(absl::UnavailableError("cannot reach 1.2.3.4:5")),
      "cannot reach 1.2.3.4:5: is saliency-server running? set --server or "
      "SALIENCY_SERVER");
  EXPECT_EQ(ErrorText(absl::NotFoundError("layer \"x\" not found")),
            "layer \"x\" not found: see the layers with: saliency models "
            "MODEL");
  EXPECT_EQ(ErrorText(absl::InvalidArgumentError("two\nlines\x1b[31m")),
            "two lines [31m");
  EXPECT_THAT(ErrorText(absl::UnauthenticatedError("")),
              HasSubstr("--token-file"));
}

TEST(TallyTest, ExitCodesFollowWhatFailed) {
  EXPECT_EQ((Tally{.ok = 2, .failed = 0}.exit_code()), kExitOk);
  EXPECT_EQ((Tally{.ok = 0, .failed = 2}.exit_code()), kExitFailed);
  EXPECT_EQ((Tally{.ok = 1, .failed = 1}.exit_code()), kExitSomeFailed);
}

}  // namespace
}  // namespace saliency::progress_test
