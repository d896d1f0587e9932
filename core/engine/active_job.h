// One submitted job on its way through the engine, and the guarantee that its
// caller hears exactly once: whoever answers first wins, later answers are
// dropped, and a job that is forgotten answers for itself.
// Thread-safe, but for work(), which belongs to the stage that has the job.

#ifndef SALIENCY_CORE_ENGINE_ACTIVE_JOB_H_
#define SALIENCY_CORE_ENGINE_ACTIVE_JOB_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/engine/admission.h"
#include "core/engine/engine_observer.h"
#include "core/engine/explainer.h"
#include "core/engine/finish/rendering.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/run/pass_progress.h"

namespace saliency {

enum class JobStage { kAdmission, kDecode, kQueue, kPass, kRender };

// "admission", "decode", "queue", "pass", "render".
absl::string_view StageName(JobStage stage);

// What the stages hand on.
struct JobWork {
  Job job;
  // Of the version that answers, as it was when the job came; null for
  // PrecomputedMaps.
  std::shared_ptr<const ModelMetadata> metadata;
  JobPlan plan;  // moved on by Prepare
  JobCost cost;
  PreparedJob prepared;
  absl::Time queued_at;
  PassProgress progress;
  StageTimes times;
  PassOutcome passes;
  std::unique_ptr<Rendering> rendering;  // of all of the above
};

class ActiveJob : public std::enable_shared_from_this<ActiveJob> {
 public:
  // `observer` outlives the answer.
  ActiveJob(Job job, JobDone done, std::shared_ptr<Admission> admission,
            EngineObserver& observer);
  // Answers INTERNAL if nobody did.
  ~ActiveJob();

  // Takes a place in the queue, and the bytes: those of the input until this
  // goes, those of the answer until that has left (Explanation::hold).
  // Errors: as ByteBudget::Take and Admission::Admit.
  absl::Status Admit(const JobCost& cost) ABSL_LOCKS_EXCLUDED(mu_);
  // Gives the place back.  Idempotent; Answer does it too.
  void LeaveQueue() ABSL_LOCKS_EXCLUDED(mu_);
  // Takes it again, whoever has come meanwhile; without effect on a job that
  // was answered.
  void EnterQueue() ABSL_LOCKS_EXCLUDED(mu_);

  // Runs the caller's callback on this thread, unless that has been done.
  // Returns whether this call did it.  Callers learn of INTERNAL no more than
  // the request's id; the message goes to the observer.
  bool Answer(absl::StatusOr<Explanation> answer) ABSL_LOCKS_EXCLUDED(mu_);
  // Answers DEADLINE_EXCEEDED, CANCELLED, and tells the observer.
  void Expire() ABSL_LOCKS_EXCLUDED(mu_);
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);
  // Tells Job::on_progress, unless it was told within kSampleProgressEvery of
  // `now`.
  void Tell(const SampleProgress& progress, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Expires when the deadline has come by `now`; returns whether it has.
  bool ExpireAt(absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);

  bool answered() const ABSL_LOCKS_EXCLUDED(mu_);
  void Enter(JobStage stage) ABSL_LOCKS_EXCLUDED(mu_);

  absl::Time deadline() const { return deadline_; }
  const std::string& request_id() const { return request_id_; }
  const std::string& caller() const { return caller_; }
  JobWork& work() { return work_; }

 private:
  // Answers, after `won` was told the stage, unless somebody was first.
  bool TryComplete(absl::StatusOr<Explanation> answer,
                   absl::FunctionRef<void(JobStage)> won)
      ABSL_LOCKS_EXCLUDED(mu_);

  const absl::Time deadline_;
  const std::string request_id_;
  const std::string caller_;
  const std::shared_ptr<Admission> admission_;
  EngineObserver& observer_;
  const std::function<void(const SampleProgress&)> on_progress_;

  // The input's bytes; outlives what it stands for.
  std::unique_ptr<ByteHold> input_hold_;
  JobWork work_;  // the current stage's

  mutable Mutex mu_;
  JobDone done_ ABSL_GUARDED_BY(mu_);  // null: answered
  bool admitted_ ABSL_GUARDED_BY(mu_) = false;
  bool queued_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<ByteHold> answer_hold_ ABSL_GUARDED_BY(mu_);
  JobStage stage_ ABSL_GUARDED_BY(mu_) = JobStage::kAdmission;
  absl::Time tell_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_ACTIVE_JOB_H_
