// A fixed number of threads that run queued work in the order it came.  Used
// for decoding and rendering; never for a model's passes.
// Thread-safe.

#ifndef SALIENCY_CORE_BASE_THREAD_POOL_H_
#define SALIENCY_CORE_BASE_THREAD_POOL_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "core/base/mutex.h"

namespace saliency {

class ThreadPool {
 public:
  // REQUIRES: num_threads >= 1.
  explicit ThreadPool(int num_threads);
  // Runs what is still queued, then joins.
  ~ThreadPool();

  // The queue itself is unbounded: whoever admits jobs bounds them.
  void Schedule(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  bool WorkOrStop() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return stopping_ || !queue_.empty();
  }

  Mutex mu_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;  // constant after construction
};

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_THREAD_POOL_H_
