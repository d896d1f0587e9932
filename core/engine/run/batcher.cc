#include "core/engine/run/batcher.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <numeric>
#include <utility>

#include "core/base/status.h"

namespace saliency {

absl::Status Batcher::Reserve() {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(failure_);
  if (closed_) return absl::UnavailableError("the model is being unloaded");
  ++reserved_;
  return absl::OkStatus();
}

void Batcher::Release() {
  MutexLock lock(&mu_);
  --reserved_;
  ++changes_;
}

int64_t Batcher::Waiting::rows() const {
  if (samples.empty()) return images * targets;
  return images * targets *
         std::accumulate(samples.begin(), samples.end(), int64_t{0});
}

Batcher::Waiting Batcher::WaitingOf(
    const std::shared_ptr<ActiveJob>& job) const {
  const PassItem& item = job->work().prepared.item;
  return Waiting{.job = job,
                 .key = {.input_height = item.input.size(2),
                         .input_width = item.input.size(3),
                         .stepped = item.variants.front().meta.has_value()},
                 .caller = job->caller(),
                 .images = item.input.size(0),
                 .targets = static_cast<int64_t>(item.targets.size()),
                 .arrival = clock_.Now()};
}

absl::Status Batcher::PushSamples(const std::shared_ptr<ActiveJob>& job) {
  Waiting waiting = WaitingOf(job);
  waiting.samples = SampleCounts(job->work().prepared.item);
  MutexLock lock(&mu_);
  ++changes_;
  RETURN_IF_ERROR(failure_);
  queue_.push_back(std::move(waiting));
  return absl::OkStatus();
}

absl::Status Batcher::Push(const std::shared_ptr<ActiveJob>& job) {
  Waiting waiting = WaitingOf(job);
  job->work().queued_at = waiting.arrival;
  MutexLock lock(&mu_);
  --reserved_;
  ++changes_;
  RETURN_IF_ERROR(failure_);
  queue_.push_back(std::move(waiting));
  return absl::OkStatus();
}

void Batcher::Remove(const ActiveJob* job) {
  Queue removed;  // released after the lock
  MutexLock lock(&mu_);
  const auto found =
      std::find_if(queue_.begin(), queue_.end(),
                   [job](const Waiting& w) { return w.job.get() == job; });
  if (found == queue_.end()) return;
  removed.splice(removed.begin(), queue_, found);
  ++changes_;
}

Batcher::Batch Batcher::Pull() {
  while (true) {
    Formed formed = Form();
    for (const std::shared_ptr<ActiveJob>& job : formed.dead) job->Expire();
    if (formed.dead.empty() || !formed.batch.empty()) {
      for (const BatchSlice& slice : formed.batch) slice.job->LeaveQueue();
      return std::move(formed.batch);
    }
  }
}

Batcher::Formed Batcher::Form() {
  MutexLock lock(&mu_);
  while (true) {
    const absl::Time now = clock_.Now();
    Formed formed = {.dead = TakeDead(now)};
    const Turns turns = Compatible();
    const BatchDecision decision = Decide(turns, now);
    formed.batch = Take(turns, decision.take);
    if (!formed.batch.empty() || !formed.dead.empty() || Ended()) {
      return formed;
    }
    const Change change = {.batcher = this, .seen = changes_};
    clock_.AwaitWithDeadline(&mu_, absl::Condition(&change, &Change::Happened),
                             std::min(decision.wake, EarliestDeadline()));
  }
}

Batcher::Jobs Batcher::TakeDead(absl::Time now) {
  Jobs dead;
  for (auto it = queue_.begin(); it != queue_.end();) {
    if (it->job->deadline() <= now || it->job->answered()) {
      dead.push_back(std::move(it->job));
      it = queue_.erase(it);
      ++changes_;
    } else {
      ++it;
    }
  }
  return dead;
}

RowSlice Batcher::NextSlice(const Waiting& waiting) const {
  const int64_t at_once = RowsAtOnce(waiting.key, limits_);
  if (!waiting.samples.empty()) {
    return SampleSliceAt(waiting.done, waiting.images, waiting.targets,
                         waiting.samples, at_once);
  }
  return SliceAt(waiting.done, waiting.images, waiting.targets, at_once);
}

Batcher::Turns Batcher::Compatible() {
  // The jobs of each caller, and when its next turn comes.
  struct Caller {
    double turn = 0;
    std::deque<Queue::iterator> jobs;
  };
  std::vector<Caller> callers;  // in the order of their oldest job
  std::map<std::string, std::size_t> known;
  for (auto it = queue_.begin(); it != queue_.end(); ++it) {
    const auto [found, is_new] = known.try_emplace(it->caller, callers.size());
    if (is_new) callers.push_back({.turn = shares_.Turn(it->caller)});
    callers[found->second].jobs.push_back(it);
  }
  Turns turns;
  while (!callers.empty()) {
    const auto next = std::min_element(
        callers.begin(), callers.end(),
        [](const Caller& a, const Caller& b) { return a.turn < b.turn; });
    const Queue::iterator job = next->jobs.front();
    next->jobs.pop_front();
    if (turns.empty() || job->key == turns.front()->key) {
      turns.push_back(job);
      next->turn +=
          static_cast<double>(NextSlice(*job).rows()) * RowCost(job->key);
    }
    if (next->jobs.empty()) callers.erase(next);
  }
  return turns;
}

BatchDecision Batcher::Decide(const Turns& turns, absl::Time now) const {
  if (turns.empty()) return {};
  std::vector<int64_t> rows;
  BatchCandidates candidates = {
      .oldest_arrival = absl::InfiniteFuture(),
      .arrivals = closed_ ? Arrivals::kEnded : Arrivals::kOpen};
  for (const Queue::iterator& waiting : turns) {
    rows.push_back(NextSlice(*waiting).rows());
    candidates.oldest_arrival =
        std::min(candidates.oldest_arrival, waiting->arrival);
    candidates.earliest_deadline =
        std::min(candidates.earliest_deadline, waiting->job->deadline());
  }
  candidates.rows = rows;
  BatchLimits limits = limits_;
  limits.max_rows = RowsAtOnce(turns.front()->key, limits_);
  return DecideBatch(candidates, now, limits);
}

Batcher::Batch Batcher::Take(const Turns& turns, int count) {
  Batch batch;
  if (count == 0) return batch;
  ++changes_;  // for workers that sleep until the end
  for (int i = 0; i < count; ++i) {
    const Queue::iterator waiting = turns[i];
    const RowSlice slice = NextSlice(*waiting);
    shares_.Charge(waiting->caller,
                   static_cast<double>(slice.rows()) * RowCost(waiting->key));
    waiting->done += slice.rows();
    batch.push_back({.job = waiting->job, .slice = slice});
    if (waiting->done < waiting->rows()) {
      queue_.splice(queue_.end(), queue_, waiting);
    } else {
      queue_.erase(waiting);
    }
  }
  return batch;
}

absl::Time Batcher::EarliestDeadline() const {
  absl::Time earliest = absl::InfiniteFuture();
  for (const Waiting& waiting : queue_) {
    earliest = std::min(earliest, waiting.job->deadline());
  }
  return earliest;
}

void Batcher::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
  ++changes_;
}

Batcher::Jobs Batcher::Fail(const absl::Status& why) {
  Queue queue;
  {
    MutexLock lock(&mu_);
    failure_ = why;
    ++changes_;
    queue.swap(queue_);
  }
  Jobs jobs;
  for (Waiting& waiting : queue) jobs.push_back(std::move(waiting.job));
  return jobs;
}

}  // namespace saliency
