#include "core/base/thread_pool.h"

#include <utility>

namespace saliency {

ThreadPool::ThreadPool(int num_threads) {
  threads_.reserve(num_threads);
  for (int i = 0; i < num_threads; ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Schedule(std::function<void()> work,
                          const std::string& caller) {
  MutexLock lock(&mu_);
  std::deque<std::function<void()>>& queue = work_[caller];
  if (queue.empty()) turns_.push_back(caller);
  queue.push_back(std::move(work));
  ++queued_;
}

void ThreadPool::Run() {
  while (true) {
    std::function<void()> work;
    {
      MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &ThreadPool::WorkOrStop));
      if (queued_ == 0) return;
      work = Next();
    }
    work();
  }
}

std::function<void()> ThreadPool::Next() {
  const auto turn = work_.find(turns_.front());
  turns_.pop_front();
  std::function<void()> work = std::move(turn->second.front());
  turn->second.pop_front();
  --queued_;
  if (turn->second.empty()) {
    work_.erase(turn);
  } else {
    turns_.push_back(turn->first);
  }
  return work;
}

}  // namespace saliency
