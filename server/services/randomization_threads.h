// Long work on copies of models: a few at a time, each on a thread of its own
// that gives way to those that serve.
// Thread-safe.

#ifndef SALIENCY_SERVER_SERVICES_RANDOMIZATION_THREADS_H_
#define SALIENCY_SERVER_SERVICES_RANDOMIZATION_THREADS_H_

#include <functional>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "core/engine/run/worker_threads.h"

namespace saliency {

class RandomizationThreads {
 public:
  // `limit` is how many studies, and so how many copies, there may be at a
  // time;
  // >= 1.
  explicit RandomizationThreads(int limit) : limit_(limit) {}
  // Waits for all.  REQUIRES: all of them end.
  ~RandomizationThreads() { threads_.JoinAll(); }

  // Runs `work` on a thread of low priority whose tensor operators use no
  // other, and there, when its place is free again, `after`.
  // Errors: RESOURCE_EXHAUSTED naming the limit; neither is then run.
  absl::Status Start(std::function<void()> work, std::function<void()> after)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);

  const int limit_;
  Mutex mu_;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  WorkerThreads threads_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_RANDOMIZATION_THREADS_H_
