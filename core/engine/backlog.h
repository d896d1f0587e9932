// Holds workers back while too many explained jobs wait to be rendered, so that
// a slow renderer cannot pile up finished passes.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_BACKLOG_H_
#define SALIENCY_CORE_ENGINE_BACKLOG_H_

#include <cstdint>

#include "core/base/mutex.h"

namespace saliency {

class Backlog {
 public:
  // REQUIRES: limit >= 1.
  explicit Backlog(int64_t limit) : limit_(limit) {}

  // Waits until fewer than the limit are waiting.
  void AwaitRoom() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &Backlog::HasRoom));
  }
  void Add() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    ++waiting_;
  }
  void Done() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    --waiting_;
  }

 private:
  bool HasRoom() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return waiting_ < limit_;
  }

  const int64_t limit_;

  Mutex mu_;
  int64_t waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_BACKLOG_H_
