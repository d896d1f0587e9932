#include "client/cli/evaluate/evaluation_run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/ordered_fan_out.h"
#include "client/cli/progress.h"

namespace saliency {
namespace {

// Writes items down, in order, on the calling thread.
class Recorder {
 public:
  Recorder(int total, EvaluationJournal& journal, Console& console)
      : journal_(journal),
        console_(console),
        progress_({.total = total, .terminal = console.err_is_terminal},
                  console.err, console.clock) {}

  // Returns whether it makes sense to go on.
  bool Record(const std::string& item,
              const absl::StatusOr<JournalRows>& rows) {
    // What comes after an item that an interrupt left out is left out as well:
    // written down now, it would stand before it for good.
    interrupted_ |=
        absl::IsCancelled(rows.status()) && console_.interrupt.raised();
    if (interrupted_) {
      outcome_.ended_early = true;
      return false;
    }
    const absl::Status status =
        rows.ok() ? journal_.Add(item, *rows) : rows.status();
    if (status.ok()) {
      ++outcome_.done;
    } else {
      Fail(item, status, /*of_journal=*/rows.ok());
    }
    progress_.Advance();
    return !outcome_.ended_early;
  }

  EvaluationOutcome outcome() {
    progress_.Hide();
    return outcome_;
  }
  void CountEarlier() { ++outcome_.done; }
  void EndEarly() { outcome_.ended_early = true; }

 private:
  void Fail(const std::string& item, const absl::Status& status,
            bool of_journal) {
    ++outcome_.failed;
    progress_.Hide();
    if (outcome_.ended_early) return;  // the same again
    outcome_.ended_early = of_journal || ConcernsEveryItem(status);
    PrintError(console_, absl::StrCat(item, ": ", ErrorText(status)));
  }

  EvaluationJournal& journal_;
  Console& console_;
  Progress progress_;
  EvaluationOutcome outcome_;
  bool interrupted_ = false;
};

}  // namespace

EvaluationOutcome RunEvaluation(const std::vector<std::string>& items,
                                int concurrency, EvaluationJournal& journal,
                                Console& console, const MeasureItem& measure) {
  std::vector<std::string> left;
  for (const std::string& item : items) {
    if (!journal.IsDone(item)) left.push_back(item);
  }
  const int total = static_cast<int>(left.size());
  Recorder recorder(total, journal, console);
  for (size_t i = left.size(); i < items.size(); ++i) recorder.CountEarlier();
  const int finished = OrderedFanOut(
      total, concurrency, console.interrupt,
      [&](int index, const std::shared_ptr<CancelToken>& cancel) -> FinishItem {
        auto rows = std::make_shared<const absl::StatusOr<JournalRows>>(
            measure(left[index], cancel));
        return [&recorder, &item = left[index], rows] {
          return recorder.Record(item, *rows);
        };
      });
  if (finished < total) recorder.EndEarly();
  return recorder.outcome();
}

}  // namespace saliency
