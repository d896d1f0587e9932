#include "core/engine/admission.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/engine/active_job.h"

namespace saliency {
namespace {

absl::Status Closed() {
  return absl::UnavailableError("the server is shutting down");
}

// At least one.
int64_t ShareOf(int64_t all, double share) {
  return std::max<int64_t>(
      static_cast<int64_t>(static_cast<double>(all) * share), 1);
}

}  // namespace

Admission::Admission(int64_t max_items, int64_t max_bytes, double caller_share)
    : max_items_(max_items),
      max_items_of_caller_(ShareOf(max_items, caller_share)),
      bytes_(std::make_shared<ByteBudget>(
          ByteLimits{.total = max_bytes,
                     .per_caller = ShareOf(max_bytes, caller_share)})) {}

absl::Status Admission::Admit(const std::shared_ptr<ActiveJob>& job) {
  MutexLock lock(&mu_);
  if (closed_) return Closed();
  if (items_ >= max_items_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "queue full: ", items_, " items waiting (limit ", max_items_, ")"));
  }
  const auto found = items_of_.find(job->caller());
  const int64_t own = found == items_of_.end() ? 0 : found->second;
  if (const int64_t limit = LimitOf(own); own >= limit) {
    return absl::ResourceExhaustedError(
        absl::StrCat("queue full: ", own,
                     " items of this caller waiting (limit ", limit, ")"));
  }
  Count(job->caller(), 1);
  ++in_flight_;
  entries_[job.get()] = job;
  return absl::OkStatus();
}

int64_t Admission::LimitOf(int64_t own) const {
  if (items_ < max_items_ / 2) return max_items_of_caller_;
  const auto callers =
      static_cast<int64_t>(items_of_.size()) + (own == 0 ? 1 : 0);
  return std::min(max_items_of_caller_,
                  std::max<int64_t>(max_items_ / callers, 1));
}

void Admission::LeaveQueue(const std::string& caller) {
  MutexLock lock(&mu_);
  Count(caller, -1);
}

void Admission::EnterQueue(const std::string& caller) {
  MutexLock lock(&mu_);
  Count(caller, 1);
}

// A job that enters again may be seen to leave first.
void Admission::Count(const std::string& caller, int64_t change) {
  items_ += change;
  if (caller.empty()) return;
  int64_t& own = items_of_[caller];
  own += change;
  if (own == 0) items_of_.erase(caller);
}

void Admission::Answered(const ActiveJob* job) {
  MutexLock lock(&mu_);
  entries_.erase(job);
  --in_flight_;
}

void Admission::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
}

absl::Status Admission::CheckOpen() const {
  MutexLock lock(&mu_);
  return closed_ ? Closed() : absl::OkStatus();
}

bool Admission::AwaitEmpty(Clock& clock, absl::Time deadline) {
  MutexLock lock(&mu_);
  return clock.AwaitWithDeadline(&mu_, absl::Condition(this, &Admission::Empty),
                                 deadline);
}

std::vector<std::shared_ptr<ActiveJob>> Admission::Outstanding() const {
  std::vector<std::shared_ptr<ActiveJob>> jobs;
  MutexLock lock(&mu_);
  jobs.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) {
    if (std::shared_ptr<ActiveJob> job = entry.lock()) {
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

EngineLoad Admission::load() const {
  const int64_t bytes = bytes_->held();
  MutexLock lock(&mu_);
  return {
      .queued_items = items_, .queued_bytes = bytes, .in_flight = in_flight_};
}

}  // namespace saliency
