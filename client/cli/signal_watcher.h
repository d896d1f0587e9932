// Ctrl-C (SIGINT) and SIGTERM: the first raises an Interrupt, the second ends
// the process at once.  A thread of its own waits for them, so that nothing
// runs inside a signal handler.

#ifndef SALIENCY_CLIENT_CLI_SIGNAL_WATCHER_H_
#define SALIENCY_CLIENT_CLI_SIGNAL_WATCHER_H_

#include <csignal>
#include <thread>

#include "client/cli/interrupt.h"

namespace saliency {

class SignalWatcher {
 public:
  // REQUIRES: no other thread runs yet (threads inherit which signals they
  // leave to the watcher).  `interrupt` outlives this.
  explicit SignalWatcher(Interrupt& interrupt);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  void Watch();

  Interrupt& interrupt_;
  sigset_t signals_;  // constant after construction, as is the thread
  std::thread thread_;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_SIGNAL_WATCHER_H_
