#include "client/cli/load_run.h"

#include <optional>
#include <thread>
#include <utility>

#include "core/base/mutex.h"

namespace saliency {
namespace {

// A caller that takes its call this much after it was due had been busy, and
// not merely woken late.
constexpr absl::Duration kLateAfter = absl::Milliseconds(5);

struct Turn {
  int64_t index = 0;
  absl::Time due;
};

// Hands out the calls when they are due and collects what became of them.
// Thread-safe.
class LoadQueue {
 public:
  LoadQueue(const LoadOptions& options, Clock& clock)
      : options_(options),
        clock_(clock),
        start_(clock.Now()),
        callers_(options.callers) {}

  // Waits for the next call to be due; nullopt: there are no more.
  std::optional<Turn> Take() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    const absl::Time now = clock_.Now();
    const Turn turn = {.index = taken_, .due = DueTime(taken_, now)};
    if (stopped_ || (options_.calls > 0 && taken_ == options_.calls) ||
        turn.due - start_ >= options_.duration) {
      return std::nullopt;
    }
    ++taken_;
    if (options_.rate > 0) {
      if (now - turn.due > kLateAfter) ++result_.late;
      clock_.AwaitWithDeadline(&mu_, absl::Condition(this, &LoadQueue::Stopped),
                               turn.due);
      if (stopped_) {
        ++given_up_;
        return std::nullopt;
      }
    }
    return turn;
  }

  void Done(const Turn& turn, const CallOutcome& outcome)
      ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    const absl::Time now = clock_.Now();
    if (absl::IsCancelled(outcome.status) && stopped_) {
      ++given_up_;
      return;
    }
    result_.elapsed = now - start_;
    if (outcome.status.ok()) {
      result_.latencies.push_back(now - turn.due);
      batch_requests_ += outcome.batch_requests;
      return;
    }
    ++failed_;
    LoadError& error = result_.errors[outcome.status.code()];
    if (++error.count == 1) {
      error.message = std::string(outcome.status.message());
    }
  }

  void CallerLeaves() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    --callers_;
  }

  // No further call is made.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    stopped_ = true;
  }

  // Whether all callers have left by `deadline`.
  bool AwaitEnd(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return clock_.AwaitWithDeadline(
        &mu_, absl::Condition(this, &LoadQueue::Ended), deadline);
  }

  LoadCounts counts() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return {.answered = static_cast<int64_t>(result_.latencies.size()),
            .failed = failed_};
  }
  absl::Time start() const { return start_; }

  // After the end.
  LoadResult Result() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    const auto answered = static_cast<double>(result_.latencies.size());
    if (answered > 0) result_.batch_requests = batch_requests_ / answered;
    if (options_.calls > 0 && stopped_) {
      result_.left = options_.calls - taken_ + given_up_;
    }
    return std::move(result_);
  }

 private:
  absl::Time DueTime(int64_t index, absl::Time now) const {
    if (options_.rate == 0) return now;
    return start_ + absl::Seconds(static_cast<double>(index) / options_.rate);
  }
  bool Stopped() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped_; }
  bool Ended() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return callers_ == 0; }

  const LoadOptions options_;
  Clock& clock_;
  const absl::Time start_;

  mutable Mutex mu_;
  int callers_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  int64_t taken_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t given_up_ ABSL_GUARDED_BY(mu_) = 0;  // of these, by the interrupt
  int64_t failed_ ABSL_GUARDED_BY(mu_) = 0;
  double batch_requests_ ABSL_GUARDED_BY(mu_) = 0;  // sum
  LoadResult result_ ABSL_GUARDED_BY(mu_);
};

void Call(LoadQueue& queue, const std::shared_ptr<CancelToken>& cancel,
          const MakeCall& call) {
  while (const std::optional<Turn> turn = queue.Take()) {
    queue.Done(*turn, call(turn->index, cancel));
  }
  queue.CallerLeaves();
}

}  // namespace

int64_t LoadResult::failed() const {
  int64_t count = 0;
  for (const auto& [code, error] : errors) count += error.count;
  return count;
}

LoadResult RunLoad(
    const LoadOptions& options, Clock& clock, Interrupt& interrupt,
    const MakeCall& call, absl::Duration tick_every,
    absl::FunctionRef<void(const LoadCounts&, absl::Duration elapsed)> tick) {
  // Shared: an interrupt may be telling it while the run ends.
  const auto queue = std::make_shared<LoadQueue>(options, clock);
  // Asked for first, so that it is cancelled before any call.
  const std::shared_ptr<CancelToken> stop = interrupt.NewToken();
  stop->SetListener([queue] { queue->Stop(); });
  std::vector<std::thread> threads;
  for (int i = 0; i < options.callers; ++i) {
    threads.emplace_back([&queue, &call, cancel = interrupt.NewToken()] {
      Call(*queue, cancel, call);
    });
  }
  absl::Time next = queue->start() + tick_every;
  while (!queue->AwaitEnd(next)) {
    tick(queue->counts(), clock.Now() - queue->start());
    next += tick_every;
  }
  for (std::thread& thread : threads) thread.join();
  return queue->Result();
}

}  // namespace saliency
