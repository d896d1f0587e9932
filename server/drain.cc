#include "server/drain.h"

#include "core/base/mutex.h"

namespace saliency {
namespace {

void WaitFor(absl::Duration delay, Clock& clock) {
  Mutex mu;
  MutexLock lock(&mu);
  bool never = false;
  clock.AwaitWithDeadline(&mu, absl::Condition(&never), clock.Now() + delay);
}

}  // namespace

bool Drain(const DrainOptions& options, Clock& clock, HealthRegistry& board,
           CallTracker& desk, const DrainEngine& drain_engine) {
  board.StopServing();
  WaitFor(options.delay, clock);
  desk.Close();
  const absl::Time deadline = clock.Now() + options.timeout;
  const bool all_answered = drain_engine(deadline);
  // The answers still have to reach their callers; an engine that ran into the
  // deadline has just answered the rest, which takes a moment too.
  const bool all_sent =
      desk.AwaitEmpty(all_answered ? deadline : clock.Now() + kDrainFlush);
  board.Close();
  return all_answered && all_sent;
}

}  // namespace saliency
