#include "tests/server/held_jobs.h"

#include <utility>

namespace saliency {

SubmitJob HeldJobs::Submit() {
  return
      [this](Job job, JobDone done) { Take(std::move(job), std::move(done)); };
}

void HeldJobs::Take(Job job, JobDone done) {
  const std::shared_ptr<CancelToken> cancel = job.cancel;
  int index = 0;
  {
    MutexLock lock(&mu_);
    index = total_;
    jobs_.push_back({job.request_id, job.deadline, std::move(job.cancel),
                     std::move(done), std::move(job.on_progress)});
    ++total_;
  }
  cancel->SetListener([this, index] {
    const JobDone release = Release(index);
    if (release == nullptr) return;
    {
      MutexLock lock(&mu_);
      ++cancelled_;
    }
    release(absl::CancelledError("the caller has gone"));
  });
}

JobDone HeldJobs::Release(int job) {
  MutexLock lock(&mu_);
  return std::exchange(jobs_[job].done, nullptr);
}

bool HeldJobs::Await(int count, absl::Duration idle_timeout) {
  struct Wait {
    const int& total;
    int count;
    static bool Over(Wait* wait) { return wait->total >= wait->count; }
  };
  MutexLock lock(&mu_);
  Wait wait = {total_, count};
  return mu_.AwaitWithDeadline(absl::Condition(&Wait::Over, &wait),
                               absl::Now() + idle_timeout);
}

void HeldJobs::Answer(int job, absl::StatusOr<Explanation> answer) {
  if (const JobDone done = Release(job)) done(std::move(answer));
}

void HeldJobs::Tell(int job, const SampleProgress& progress) {
  std::function<void(const SampleProgress&)> tell;
  {
    MutexLock lock(&mu_);
    tell = jobs_[job].on_progress;
  }
  tell(progress);
}

bool HeldJobs::wants_progress(int job) const {
  MutexLock lock(&mu_);
  return jobs_[job].on_progress != nullptr;
}

int HeldJobs::total() const {
  MutexLock lock(&mu_);
  return total_;
}

int HeldJobs::cancelled() const {
  MutexLock lock(&mu_);
  return cancelled_;
}

std::string HeldJobs::request_id(int job) const {
  MutexLock lock(&mu_);
  return jobs_[job].request_id;
}

absl::Time HeldJobs::deadline(int job) const {
  MutexLock lock(&mu_);
  return jobs_[job].deadline;
}

}  // namespace saliency
