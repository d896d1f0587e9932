#include "core/engine/batcher.h"

#include <algorithm>
#include <utility>

#include "core/base/status.h"

namespace saliency {

absl::Status Batcher::Announce() {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(failure_);
  if (retired_) return absl::UnavailableError("the model is being unloaded");
  ++announced_;
  return absl::OkStatus();
}

void Batcher::Withdraw() {
  MutexLock lock(&mu_);
  --announced_;
  ++changes_;
}

absl::Status Batcher::Push(const std::shared_ptr<ActiveJob>& job) {
  const PassItem& item = job->work().prepared.item;
  Waiting waiting = {.job = job,
                     .key = {.input_height = item.input.size(2),
                             .input_width = item.input.size(3),
                             .stepped = item.meta.has_value()},
                     .rows = item.rows(),
                     .arrival = clock_.Now()};
  job->work().queued_at = waiting.arrival;
  MutexLock lock(&mu_);
  --announced_;
  ++changes_;
  RETURN_IF_ERROR(failure_);
  queue_.push_back(std::move(waiting));
  return absl::OkStatus();
}

void Batcher::Remove(const ActiveJob* job) {
  std::list<Waiting> removed;  // released after the lock
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
      for (const auto& job : formed.batch) job->LeaveQueue();
      return std::move(formed.batch);
    }
  }
}

Batcher::Formed Batcher::Form() {
  MutexLock lock(&mu_);
  while (true) {
    const absl::Time now = clock_.Now();
    Formed formed = {.dead = TakeDead(now)};
    const BatchDecision decision = Decide(now);
    formed.batch = Take(decision.take);
    if (!formed.batch.empty() || !formed.dead.empty() || Ended()) {
      return formed;
    }
    const Change change = {.batcher = this, .seen = changes_};
    clock_.AwaitWithDeadline(&mu_, absl::Condition(&change, &Change::Happened),
                             std::min(decision.wake, EarliestDeadline()));
  }
}

Batcher::Batch Batcher::TakeDead(absl::Time now) {
  Batch dead;
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

BatchDecision Batcher::Decide(absl::Time now) const {
  if (queue_.empty()) return {};
  std::vector<int64_t> rows;
  BatchCandidates candidates = {
      .oldest_arrival = queue_.front().arrival,
      .arrivals = retired_ ? Arrivals::kEnded : Arrivals::kOpen};
  for (const Waiting& waiting : queue_) {
    if (waiting.key != queue_.front().key) continue;
    rows.push_back(waiting.rows);
    candidates.earliest_deadline =
        std::min(candidates.earliest_deadline, waiting.job->deadline());
  }
  candidates.rows = rows;
  return DecideBatch(candidates, now, limits_);
}

Batcher::Batch Batcher::Take(int count) {
  Batch batch;
  if (count == 0) return batch;
  ++changes_;  // for workers that sleep until the end
  const BatchKey key = queue_.front().key;
  for (auto it = queue_.begin();
       it != queue_.end() && static_cast<int>(batch.size()) < count;) {
    if (it->key == key) {
      batch.push_back(std::move(it->job));
      it = queue_.erase(it);
    } else {
      ++it;
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

void Batcher::Retire() {
  MutexLock lock(&mu_);
  retired_ = true;
  ++changes_;
}

Batcher::Batch Batcher::Fail(const absl::Status& why) {
  std::list<Waiting> queue;
  {
    MutexLock lock(&mu_);
    failure_ = why;
    ++changes_;
    queue.swap(queue_);
  }
  Batch jobs;
  for (Waiting& waiting : queue) jobs.push_back(std::move(waiting.job));
  return jobs;
}

}  // namespace saliency
