#include "core/engine/active_job.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {

absl::string_view StageName(JobStage stage) {
  switch (stage) {
    case JobStage::kAdmission:
      return "admission";
    case JobStage::kDecode:
      return "decode";
    case JobStage::kQueue:
      return "queue";
    case JobStage::kPass:
      return "pass";
    case JobStage::kRender:
      return "render";
  }
  return "";
}

ActiveJob::ActiveJob(Job job, JobDone done,
                     std::shared_ptr<Admission> admission,
                     EngineObserver& observer)
    : deadline_(job.deadline),
      request_id_(job.request_id),
      caller_(job.caller),
      admission_(std::move(admission)),
      observer_(observer),
      on_progress_(std::move(job.on_progress)),
      work_{.job = std::move(job)},
      done_(std::move(done)) {}

ActiveJob::~ActiveJob() {
  Answer(absl::InternalError("the job was dropped without an answer"));
}

absl::Status ActiveJob::Admit(const JobCost& cost) {
  const std::shared_ptr<ByteBudget>& budget = admission_->bytes();
  RETURN_IF_ERROR(budget->Take(caller_, cost.input_bytes + cost.answer_bytes));
  input_hold_ = std::make_unique<ByteHold>(budget, caller_, cost.input_bytes);
  auto answer_hold =
      std::make_shared<ByteHold>(budget, caller_, cost.answer_bytes);
  // Marked first: once admitted, a drain may answer it from another thread.
  {
    MutexLock lock(&mu_);
    admitted_ = queued_ = true;
    answer_hold_ = std::move(answer_hold);
  }
  absl::Status status = admission_->Admit(shared_from_this());
  if (!status.ok()) {
    MutexLock lock(&mu_);
    admitted_ = queued_ = false;
  }
  return status;
}

void ActiveJob::LeaveQueue() {
  {
    MutexLock lock(&mu_);
    if (!std::exchange(queued_, false)) return;
  }
  admission_->LeaveQueue(caller_);
}

void ActiveJob::EnterQueue() {
  {
    MutexLock lock(&mu_);
    if (!done_ || std::exchange(queued_, true)) return;
  }
  admission_->EnterQueue(caller_);
}

bool ActiveJob::Answer(absl::StatusOr<Explanation> answer) {
  const std::string fault(absl::IsInternal(answer.status())
                              ? answer.status().message()
                              : absl::string_view());
  if (!fault.empty()) {
    answer = absl::InternalError(absl::StrCat("internal error, request id \"",
                                              Printable(request_id_), "\""));
  }
  return TryComplete(std::move(answer), [&](JobStage) {
    if (!fault.empty()) observer_.OnFault(request_id_, fault);
  });
}

void ActiveJob::Expire() {
  TryComplete(absl::DeadlineExceededError("the deadline passed"),
              [&](JobStage stage) { observer_.OnExpired(StageName(stage)); });
}

void ActiveJob::Cancel() {
  TryComplete(absl::CancelledError("the caller cancelled the request"),
              [&](JobStage stage) { observer_.OnCancelled(StageName(stage)); });
}

void ActiveJob::Tell(const SampleProgress& progress, absl::Time now) {
  if (on_progress_ == nullptr) return;
  {
    MutexLock lock(&mu_);
    if (!done_ || now < tell_at_) return;
    tell_at_ = now + kSampleProgressEvery;
  }
  on_progress_(progress);
}

bool ActiveJob::ExpireAt(absl::Time now) {
  if (now < deadline_) return false;
  Expire();
  return true;
}

bool ActiveJob::TryComplete(absl::StatusOr<Explanation> answer,
                            absl::FunctionRef<void(JobStage)> won) {
  JobDone done;
  bool admitted = false;
  JobStage stage = JobStage::kAdmission;
  std::shared_ptr<ByteHold> hold;
  {
    MutexLock lock(&mu_);
    if (!done_) return false;
    done = std::exchange(done_, nullptr);
    admitted = admitted_;
    stage = stage_;
    if (answer.ok()) hold = std::move(answer_hold_);
  }
  won(stage);
  LeaveQueue();
  if (hold != nullptr) {
    hold->ShrinkTo(BytesOf(*answer));
    answer->hold = std::move(hold);
  }
  done(std::move(answer));
  done = nullptr;  // what it captured goes before the engine may
  if (admitted) admission_->Answered(this);
  return true;
}

bool ActiveJob::answered() const {
  MutexLock lock(&mu_);
  return !done_;
}

void ActiveJob::Enter(JobStage stage) {
  MutexLock lock(&mu_);
  stage_ = stage;
}

}  // namespace saliency
