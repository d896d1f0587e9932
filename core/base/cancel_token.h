// Tells the holder of a job that its caller has gone.
// Thread-safe.

#ifndef SALIENCY_CORE_BASE_CANCEL_TOKEN_H_
#define SALIENCY_CORE_BASE_CANCEL_TOKEN_H_

#include <functional>
#include <utility>

#include "core/base/mutex.h"

namespace saliency {

class CancelToken {
 public:
  // Marks the token and runs the listener, if any, once, on this thread.
  // Idempotent.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_) {
    std::function<void()> listener;
    {
      MutexLock lock(&mu_);
      if (cancelled_) return;
      cancelled_ = true;
      listener = std::exchange(listener_, nullptr);
    }
    if (listener) listener();
  }

  bool cancelled() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return cancelled_;
  }

  // Sets what Cancel() runs (nullptr: nothing); runs it at once when the token
  // is already cancelled.  The listener must not call this token.
  void SetListener(std::function<void()> listener) ABSL_LOCKS_EXCLUDED(mu_) {
    {
      MutexLock lock(&mu_);
      if (!cancelled_) {
        listener_ = std::move(listener);
        return;
      }
    }
    if (listener) listener();
  }

 private:
  mutable Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::function<void()> listener_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_CANCEL_TOKEN_H_
