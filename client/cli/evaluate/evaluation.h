// A measure over a data set, and what all of them have in common: items are
// asked about, written to a journal, and the journal becomes a report; runs go
// on where they stopped, shards are joined.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/console.h"
#include "client/cli/evaluate/evaluation_flags.h"
#include "client/cli/evaluate/evaluation_run.h"
#include "client/saliency_client.h"
#include "core/base/cancel_token.h"

namespace saliency {

// One measure.  Used by one thread, but for Measure.
class Evaluation {
 public:
  struct Kind {
    std::string name;                  // of the subcommand: "pointing-game"
    std::vector<std::string> columns;  // of the journal
  };

  explicit Evaluation(Kind kind) : kind_(std::move(kind)) {}
  virtual ~Evaluation() = default;
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

  const Kind& kind() const { return kind_; }

  // Names of all items of the folder, in order.  Before Plan.
  // Errors: the caller's usage.
  virtual absl::StatusOr<std::vector<std::string>> Items() = 0;

  // Settles what is measured of `model`, whose version answers from here on;
  // returns one line that tells it from other measurements.
  // Errors: the caller's usage.
  virtual absl::StatusOr<std::string> Plan(
      const v1::GetModelResponse& model) = 0;

  // Measures one item.  From any thread, after Plan.
  virtual absl::StatusOr<JournalRows> Measure(
      const SaliencyClient& client, const std::string& item,
      const std::shared_ptr<CancelToken>& cancel) const = 0;

  // Writes tables and plots of all rows into the out-dir; returns what is
  // printed.  `title` is one line; Plan was not called when journals are
  // merged.
  virtual absl::StatusOr<std::string> Report(
      const JournalRows& rows, const std::string& title) const = 0;

 private:
  const Kind kind_;
};

// The whole command: asks the server about the items that are not in the
// journal yet, or joins the journals of --merge, and reports.
ExitCode Evaluate(const EvaluationFlags& flags, Evaluation& evaluation,
                  Console& console);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_H_
