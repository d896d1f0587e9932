// Looks after the engine's threads: when one makes no progress for too long, a
// model loops or a library hangs, and no caller of that thread will be
// answered. Thread-safe.

#ifndef SALIENCY_SERVER_WATCHDOG_H_
#define SALIENCY_SERVER_WATCHDOG_H_

#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/engine/work_in_hand.h"
#include "server/periodic.h"
#include "server/services/health_registry.h"
#include "server/telemetry/log.h"

namespace saliency {

class Watchdog {
 public:
  struct Options {
    absl::Duration timeout;  // > 0
    // Runs once for each stall; null: nothing more than health and the log.
    std::function<void()> on_stall;
  };

  // Asks `longest_idle` several times within the timeout.  A stall turns all of
  // health off, until there is progress again.  All references outlive this.
  Watchdog(Options options, Clock& clock, HealthRegistry& registry, Log& log,
           std::function<std::optional<IdleWork>()> longest_idle);

 private:
  void Look();

  const Options options_;
  HealthRegistry& registry_;
  Log& log_;
  const std::function<std::optional<IdleWork>()> longest_idle_;
  bool stalled_ = false;  // the periodic thread's alone
  Periodic periodic_;     // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_WATCHDOG_H_
