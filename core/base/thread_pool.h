// A fixed number of threads that run queued work: callers take turns, and the
// work of each runs in the order it came.  Used for decoding and rendering;
// never for a model's passes.
// Thread-safe.

#ifndef SALIENCY_CORE_BASE_THREAD_POOL_H_
#define SALIENCY_CORE_BASE_THREAD_POOL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
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
  void Schedule(std::function<void()> work, const std::string& caller = "")
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  bool WorkOrStop() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return stopping_ || queued_ > 0;
  }
  // REQUIRES: something is queued.
  std::function<void()> Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Mutex mu_;
  int64_t queued_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, std::deque<std::function<void()>>> work_
      ABSL_GUARDED_BY(mu_);                             // none is empty
  std::deque<std::string> turns_ ABSL_GUARDED_BY(mu_);  // the keys of work_
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;  // constant after construction
};

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_THREAD_POOL_H_
