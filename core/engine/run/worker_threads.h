// The threads of all replicas, of models that serve and of those that are
// running out; finished ones are joined along the way.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_RUN_WORKER_THREADS_H_
#define SALIENCY_CORE_ENGINE_RUN_WORKER_THREADS_H_

#include <atomic>
#include <functional>
#include <list>
#include <thread>

#include "core/base/mutex.h"

namespace saliency {

class WorkerThreads {
 public:
  // Joins all.  REQUIRES: all work ends.
  ~WorkerThreads() { JoinAll(); }

  // Runs `work` on a thread of its own; what it captured is released there.
  void Start(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mu_);
  void JoinAll() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Worker {
    std::atomic<bool> finished = false;
    std::thread thread;
  };

  Mutex mu_;
  std::list<Worker> workers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_WORKER_THREADS_H_
