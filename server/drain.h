// The way down: health first, then new calls, then those in flight.
// Thread-compatible.

#ifndef SALIENCY_SERVER_DRAIN_H_
#define SALIENCY_SERVER_DRAIN_H_

#include <functional>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "server/services/health_registry.h"
#include "server/transport/call_tracker.h"

namespace saliency {

// How long answers may take to leave when the time is up.
inline constexpr absl::Duration kDrainFlush = absl::Seconds(1);

struct DrainOptions {
  absl::Duration delay;    // to go on serving while health says NOT_SERVING
  absl::Duration timeout;  // then, to finish what is in flight
};

// Answers what the engine holds; returns whether all was answered by
// `deadline`: Engine::Drain.
using DrainEngine = std::function<bool(absl::Time deadline)>;

// Health NOT_SERVING at once; serves for `delay`; refuses new calls with
// UNAVAILABLE; waits for those in flight, at most `timeout`; ends the health
// watches.  Returns whether every call was answered in time.
bool Drain(const DrainOptions& options, Clock& clock, HealthRegistry& registry,
           CallTracker& tracker, const DrainEngine& drain_engine);

}  // namespace saliency

#endif  // SALIENCY_SERVER_DRAIN_H_
