// Calls made under load, in one of two ways.
//
// Closed loop: each caller calls again as soon as it has its answer, so that a
// slow server is asked less.  This measures throughput.
// Open loop: call i is due i / rate after the start, whatever became of those
// before it, as independent users would have it.  Its latency counts from when
// it was due: a server that stalls is charged with everybody who came
// meanwhile, and not only with the one call that it held.

#ifndef SALIENCY_CLIENT_CLI_LOAD_RUN_H_
#define SALIENCY_CLIENT_CLI_LOAD_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cli/interrupt.h"
#include "core/base/cancel_token.h"
#include "core/base/clock.h"

namespace saliency {

struct LoadOptions {
  int callers = 1;  // >= 1; open loop: as many calls at once as this, no more
  double rate = 0;  // calls per second; 0: closed loop
  // No call is due later than this; infinite: `calls` decides.
  absl::Duration duration = absl::InfiniteDuration();
  int64_t calls = 0;  // in all; 0: the duration decides
};

struct CallOutcome {
  absl::Status status;
  int batch_requests = 0;  // how many requests shared the passes
};

// Makes call `index`.  Runs on several threads at once; `cancel` is the
// thread's own.
using MakeCall = std::function<CallOutcome(
    int64_t index, const std::shared_ptr<CancelToken>& cancel)>;

struct LoadError {
  int64_t count = 0;
  std::string message;  // of the first
};

struct LoadResult {
  std::vector<absl::Duration> latencies;  // of the calls answered with OK
  std::map<absl::StatusCode, LoadError> errors;
  double batch_requests = 0;  // mean over the calls answered with OK
  absl::Duration elapsed;     // until the last answer
  // Open loop: calls that were due when all callers were busy.
  int64_t late = 0;
  // Calls that were not made, or given up, because of an interrupt; unknown (0)
  // when the duration decides.
  int64_t left = 0;

  int64_t failed() const;
};

// How far a run is, for a progress line.
struct LoadCounts {
  int64_t answered = 0;
  int64_t failed = 0;
};

// Runs until all calls are answered; an interrupt cancels them and starts no
// more.  Every `tick_every` the calling thread runs `tick`.
// REQUIRES: options.duration is finite or options.calls positive.
LoadResult RunLoad(
    const LoadOptions& options, Clock& clock, Interrupt& interrupt,
    const MakeCall& call, absl::Duration tick_every,
    absl::FunctionRef<void(const LoadCounts&, absl::Duration elapsed)> tick);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_LOAD_RUN_H_
