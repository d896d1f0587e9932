#include "client/cli/ordered_fan_out.h"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/mutex.h"

namespace saliency {
namespace {

// Hands items out and collects what they leave to be done.  Thread-safe.
class WorkQueue {
 public:
  WorkQueue(int count, int window) : window_(window), count_(count) {}

  // The next item to do, or nullopt when there are no more.
  std::optional<int> Take() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &WorkQueue::MayTakeOrEnd));
    if (taken_ == count_) return std::nullopt;
    return taken_++;
  }

  void Done(int index, FinishItem finish) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    done_.emplace(index, std::move(finish));
  }

  // Waits for the next item in order; nullopt when all taken are finished.
  std::optional<FinishItem> Next() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &WorkQueue::NextDoneOrEnd));
    const auto next = done_.find(finished_);
    if (next == done_.end()) return std::nullopt;
    FinishItem finish = std::move(next->second);
    done_.erase(next);
    return finish;
  }

  void Finished() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    ++finished_;
  }

  // No further items are taken.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    count_ = taken_;
  }

 private:
  bool MayTakeOrEnd() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return taken_ == count_ || taken_ < finished_ + window_;
  }
  bool NextDoneOrEnd() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return finished_ == count_ || done_.contains(finished_);
  }

  const int window_;
  Mutex mu_;
  int count_ ABSL_GUARDED_BY(mu_);
  int taken_ ABSL_GUARDED_BY(mu_) = 0;
  int finished_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int, FinishItem> done_ ABSL_GUARDED_BY(mu_);
};

void Work(WorkQueue& queue, Interrupt& interrupt, const DoItem& work) {
  const std::shared_ptr<CancelToken> cancel = interrupt.NewToken();
  for (;;) {
    if (cancel->cancelled()) queue.Stop();
    const std::optional<int> index = queue.Take();
    if (!index.has_value()) return;
    queue.Done(*index, work(*index, cancel));
  }
}

}  // namespace

int OrderedFanOut(int count, int concurrency, Interrupt& interrupt,
                  const DoItem& work) {
  WorkQueue queue(count, 2 * concurrency);
  std::vector<std::thread> threads;
  threads.reserve(std::min(concurrency, count));
  for (int i = 0; i < std::min(concurrency, count); ++i) {
    threads.emplace_back([&] { Work(queue, interrupt, work); });
  }
  int finished = 0;
  while (std::optional<FinishItem> finish = queue.Next()) {
    if (!(*finish)()) queue.Stop();
    queue.Finished();
    ++finished;
  }
  for (std::thread& thread : threads) thread.join();
  return finished;
}

}  // namespace saliency
