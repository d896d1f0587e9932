// The loop of every evaluation over a folder: items that are not in the journal
// yet are measured, several at once, and written down in order.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_RUN_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_RUN_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/console.h"
#include "client/cli/evaluate/evaluation_journal.h"
#include "core/base/cancel_token.h"

namespace saliency {

using JournalRows = std::vector<std::vector<std::string>>;
// Measures one item; runs on a worker thread.  `cancel` is that thread's.
using MeasureItem = std::function<absl::StatusOr<JournalRows>(
    const std::string& item, const std::shared_ptr<CancelToken>& cancel)>;

struct EvaluationOutcome {
  int done = 0;              // in the journal, those of earlier runs included
  int failed = 0;            // told on `err`; a later run tries them again
  bool ended_early = false;  // interrupted, or nothing further could succeed

  ExitCode exit_code() const {
    if (failed == 0 && !ended_early) return kExitOk;
    return done == 0 ? kExitFailed : kExitSomeFailed;
  }
};

// An interrupt ends it after what is under way; the journal then holds, in
// order, what was done before the first item that it left out.
// REQUIRES: concurrency >= 1.
EvaluationOutcome RunEvaluation(const std::vector<std::string>& items,
                                int concurrency, EvaluationJournal& journal,
                                Console& console, const MeasureItem& measure);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_RUN_H_
