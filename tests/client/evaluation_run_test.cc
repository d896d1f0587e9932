#include "client/cli/evaluate/evaluation_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/synchronization/notification.h"
#include "client/cli/interrupt.h"
#include "core/base/clock.h"
#include "tests/client/run_command.h"

namespace saliency::evaluation_run_test {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

class EvaluationRunTest : public testing::Test {
 protected:
  EvaluationOutcome Run(Interrupt& interrupt, const MeasureItem& measure) {
    Console console{.out = out_,
                    .err = err_,
                    .clock = Clock::Real(),
                    .interrupt = interrupt};
    const auto journal =
        EvaluationJournal::Open(path_, "plan", {"item"}).value();
    return RunEvaluation({"a", "b", "c", "d"}, 3, *journal, console, measure);
  }
  std::vector<std::string> Done() const {
    return ReadJournal(path_).value().done;
  }

  TestFolder folder_;
  const std::string path_ = folder_.path("journal.csv");
  std::ostringstream out_;
  std::ostringstream err_;
};

JournalRows RowOf(const std::string& item) { return {{item}}; }

TEST_F(EvaluationRunTest, NothingIsWrittenAfterWhatAnInterruptLeftOut) {
  Interrupt interrupt;
  absl::Notification later_item_is_done;
  const EvaluationOutcome cut = Run(
      interrupt,
      [&](const std::string& item, const auto&) -> absl::StatusOr<JournalRows> {
        if (item == "c") later_item_is_done.Notify();
        if (item != "b") return RowOf(item);
        later_item_is_done.WaitForNotification();
        interrupt.Raise();
        return absl::CancelledError("interrupted");
      });
  EXPECT_TRUE(cut.ended_early);
  EXPECT_EQ(cut.failed, 0);
  EXPECT_EQ(cut.done, 1);
  EXPECT_EQ(cut.exit_code(), kExitSomeFailed);
  EXPECT_THAT(Done(), ElementsAre("a"));

  Interrupt none;
  const EvaluationOutcome rest = Run(
      none, [](const std::string& item, const auto&) { return RowOf(item); });
  EXPECT_EQ(rest.done, 4);
  EXPECT_EQ(rest.exit_code(), kExitOk);
  EXPECT_THAT(Done(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(EvaluationRunTest, AFailedItemIsLeftOutAndTriedAgain) {
  Interrupt interrupt;
  EvaluationOutcome outcome = Run(
      interrupt,
      [](const std::string& item, const auto&) -> absl::StatusOr<JournalRows> {
        if (item == "b") return absl::InvalidArgumentError("no image");
        return RowOf(item);
      });
  EXPECT_EQ(outcome.failed, 1);
  EXPECT_FALSE(outcome.ended_early);
  EXPECT_EQ(outcome.exit_code(), kExitSomeFailed);
  EXPECT_THAT(Done(), ElementsAre("a", "c", "d"));
  EXPECT_THAT(err_.str(), StartsWith("saliency: b: no image\n"));

  outcome = Run(interrupt, [](const std::string& item, const auto&) {
    return RowOf(item);
  });
  EXPECT_EQ(outcome.exit_code(), kExitOk);
  EXPECT_THAT(Done(), ElementsAre("a", "c", "d", "b"));
}

}  // namespace
}  // namespace saliency::evaluation_run_test
