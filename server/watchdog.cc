#include "server/watchdog.h"

#include <utility>

namespace saliency {
namespace {

constexpr int kLooksInTimeout = 10;

}  // namespace

Watchdog::Watchdog(Options options, Clock& clock, HealthRegistry& registry,
                   Log& log,
                   std::function<std::optional<IdleWork>()> longest_idle)
    : options_(std::move(options)),
      registry_(registry),
      log_(log),
      longest_idle_(std::move(longest_idle)),
      periodic_(clock, options_.timeout / kLooksInTimeout, [this] { Look(); }) {
}

void Watchdog::Look() {
  const std::optional<IdleWork> longest = longest_idle_();
  const bool stalls = longest && longest->idle >= options_.timeout;
  if (stalls == stalled_) return;
  stalled_ = stalls;
  registry_.SetStalled(stalls);
  if (!stalls) {
    log_.Warning("progress again: health is as before");
    return;
  }
  log_.Error("no progress: health says NOT_SERVING",
             {{"work", longest->what},
              {"seconds", absl::ToDoubleSeconds(longest->idle)}});
  if (options_.on_stall) options_.on_stall();
}

}  // namespace saliency
