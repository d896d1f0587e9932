#include "server/exit_guard.h"

#include <cstdlib>

#include "absl/time/clock.h"

namespace saliency {
namespace {

// For the line in the log, whose reader may have stopped reading.
constexpr absl::Duration kLastWords = absl::Milliseconds(200);

}  // namespace

ExitGuard::~ExitGuard() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void ExitGuard::Arm(absl::Time deadline, int code) {
  thread_ = std::thread([this, deadline, code] {
    {
      MutexLock lock(&mu_);
      if (clock_.AwaitWithDeadline(&mu_, absl::Condition(&stopping_),
                                   deadline)) {
        return;
      }
    }
    std::thread([this] {
      log_.Error("work that cannot be broken off is still running: leaving");
    }).detach();
    absl::SleepFor(kLastWords);
    std::_Exit(code);
  });
}

}  // namespace saliency
