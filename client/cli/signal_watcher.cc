#include "client/cli/signal_watcher.h"

#include <pthread.h>
#include <unistd.h>

namespace saliency {
namespace {

constexpr int kStop = SIGUSR1;    // from the destructor
constexpr int kExitAtOnce = 130;  // what shells report for Ctrl-C

}  // namespace

SignalWatcher::SignalWatcher(Interrupt& interrupt) : interrupt_(interrupt) {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, kStop}) {
    sigaddset(&signals_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { Watch(); });
}

SignalWatcher::~SignalWatcher() {
  pthread_kill(thread_.native_handle(), kStop);
  thread_.join();
}

void SignalWatcher::Watch() {
  bool first = true;
  for (;;) {
    int signal = 0;
    if (sigwait(&signals_, &signal) != 0) continue;
    if (signal == kStop) return;
    if (!first) _exit(kExitAtOnce);
    first = false;
    interrupt_.Raise();
  }
}

}  // namespace saliency
