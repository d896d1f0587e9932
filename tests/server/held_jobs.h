// An engine that answers when the test says so, and cancelled jobs at once.
// Thread-safe.

#ifndef SALIENCY_TESTS_SERVER_HELD_JOBS_H_
#define SALIENCY_TESTS_SERVER_HELD_JOBS_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/engine/job.h"
#include "server/services/saliency_service.h"

namespace saliency {

class HeldJobs {
 public:
  // For TestServer::Options; outlived by this.
  SubmitJob Submit();

  // Waits until `count` jobs have come in all; returns whether that was by
  // `idle_timeout`.
  bool Await(int count, absl::Duration idle_timeout = absl::InfiniteDuration())
      ABSL_LOCKS_EXCLUDED(mu_);
  // Answers the job, numbered from 0 as they came.  No effect on one that was
  // cancelled.
  void Answer(int job,
              absl::StatusOr<Explanation> answer = Explanation{
                  .model = "fake", .version = 1}) ABSL_LOCKS_EXCLUDED(mu_);

  // Tells how far the job is, whether it has been answered or not.
  void Tell(int job, const SampleProgress& progress) ABSL_LOCKS_EXCLUDED(mu_);
  bool wants_progress(int job) const ABSL_LOCKS_EXCLUDED(mu_);

  int total() const ABSL_LOCKS_EXCLUDED(mu_);
  int cancelled() const ABSL_LOCKS_EXCLUDED(mu_);
  // What the job was like; its input is gone.
  std::string request_id(int job) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Time deadline(int job) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Held {
    std::string request_id;
    absl::Time deadline;
    std::shared_ptr<CancelToken> cancel;
    JobDone done;  // null: answered
    std::function<void(const SampleProgress&)> on_progress;
  };

  void Take(Job job, JobDone done) ABSL_LOCKS_EXCLUDED(mu_);
  JobDone Release(int job) ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  int total_ ABSL_GUARDED_BY(mu_) = 0;
  int cancelled_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Held> jobs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_HELD_JOBS_H_
