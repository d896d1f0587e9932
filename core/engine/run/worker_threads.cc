#include "core/engine/run/worker_threads.h"

#include <iterator>
#include <utility>

namespace saliency {

void WorkerThreads::Start(std::function<void()> work) {
  std::list<Worker> finished;
  {
    MutexLock lock(&mu_);
    for (auto it = workers_.begin(); it != workers_.end();) {
      const auto next = std::next(it);
      if (it->finished) finished.splice(finished.end(), workers_, it);
      it = next;
    }
    Worker& worker = workers_.emplace_back();
    worker.thread = std::thread([&worker, run = std::move(work)]() mutable {
      run();
      run = nullptr;
      worker.finished = true;
    });
  }
  for (Worker& worker : finished) worker.thread.join();
}

void WorkerThreads::JoinAll() {
  std::list<Worker> all;
  {
    MutexLock lock(&mu_);
    all.swap(workers_);
  }
  for (Worker& worker : all) worker.thread.join();
}

}  // namespace saliency
