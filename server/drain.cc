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

bool Drain(const DrainOptions& options, Clock& clock, HealthRegistry& registry,
           CallTracker& tracker, const DrainEngine& drain_engine) {
  registry.StopServing();
  WaitFor(options.delay, clock);
  tracker.Close();
  const absl::Time deadline = clock.Now() + options.timeout;
  const bool all_answered = drain_engine(deadline);
  // The answers still have to reach their callers; an engine that ran into the
  // deadline has just answered the rest, which takes a moment too.
  const bool all_sent =
      tracker.AwaitEmpty(all_answered ? deadline : clock.Now() + kDrainFlush);
  registry.Close();
  return all_answered && all_sent;
}

}  // namespace saliency
