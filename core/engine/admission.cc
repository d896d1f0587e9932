#include "core/engine/admission.h"

#include "absl/strings/str_cat.h"
#include "core/engine/refusal.h"

namespace saliency {
namespace {

absl::Status Closed() {
  return absl::UnavailableError("the server is shutting down");
}

}  // namespace

absl::Status Admission::Admit(const std::shared_ptr<ActiveJob>& job,
                              int64_t bytes) {
  if (bytes > max_bytes_) {
    return TooLargeError(absl::StrCat("input needs ", bytes,
                                      " bytes (queue limit ", max_bytes_, ")"));
  }
  MutexLock lock(&mu_);
  if (closed_) return Closed();
  if (items_ >= max_items_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "queue full: ", items_, " items waiting (limit ", max_items_, ")"));
  }
  if (bytes > max_bytes_ - bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("queue full: ", bytes, " bytes on top of ", bytes_,
                     " held (limit ", max_bytes_, ")"));
  }
  ++items_;
  ++in_flight_;
  bytes_ += bytes;
  entries_[job.get()] = {.job = job, .bytes = bytes};
  return absl::OkStatus();
}

void Admission::LeaveQueue() {
  MutexLock lock(&mu_);
  --items_;
}

void Admission::Answered(const ActiveJob* job) {
  MutexLock lock(&mu_);
  const auto found = entries_.find(job);
  bytes_ -= found->second.bytes;
  entries_.erase(found);
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
    if (std::shared_ptr<ActiveJob> job = entry.job.lock()) {
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

EngineLoad Admission::load() const {
  MutexLock lock(&mu_);
  return {
      .queued_items = items_, .queued_bytes = bytes_, .in_flight = in_flight_};
}

}  // namespace saliency
