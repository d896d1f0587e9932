#include "server/stop_signal.h"

#include <csignal>
#include <cstdlib>
#include <thread>

namespace saliency {
namespace {

constexpr int kSecondSignalExitCode = 3;

// `nohup` and the like have it ignored, and it is to stay so.
bool IgnoresHangup() {
  struct sigaction action = {};
  return sigaction(SIGHUP, nullptr, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (!IgnoresHangup()) sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

void StopSignal::Stop(StopReason reason) {
  MutexLock lock(&mu_);
  if (!reason_.has_value()) reason_ = reason;
}

StopReason StopSignal::Await() {
  MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &StopSignal::Stopped));
  return *reason_;
}

void BlockTerminationSignals() {
  const sigset_t signals = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void HandleTerminationSignals(StopSignal& stop) {
  std::thread([&stop] {
    const sigset_t signals = TerminationSignals();
    int signal = 0;
    sigwait(&signals, &signal);
    stop.Stop(StopReason::kSignal);
    // A terminal that closes may send its hangup twice: that is no hurry.
    do {
      sigwait(&signals, &signal);
    } while (signal == SIGHUP);
    std::_Exit(kSecondSignalExitCode);
  }).detach();
}

}  // namespace saliency
