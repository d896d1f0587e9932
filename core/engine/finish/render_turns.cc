#include "core/engine/finish/render_turns.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "core/base/status.h"
#include "core/engine/run/tensor_threads.h"

namespace saliency {
namespace {

// How long a job is rendered before others have their turn; of a longer piece,
// that piece.
constexpr absl::Duration kRenderTurn = absl::Milliseconds(50);

}  // namespace

void RenderTurns::Schedule(const std::shared_ptr<ActiveJob>& job) {
  pool_.Schedule([this, job] { Render(job); }, job->caller());
}

// A turn of it; then, unless that was all, others'.
void RenderTurns::Render(const std::shared_ptr<ActiveJob>& job) {
  ComputeAlone();
  const WorkInHand::Piece piece = in_hand_.Begin("rendering maps");
  job->LeaveQueue();
  job->Enter(JobStage::kRender);
  if (job->answered() || job->ExpireAt(clock_.Now())) return;
  const absl::Status status = CatchAsStatus(
      "rendering failed", [&] { return Turn(*job); },
      [&](absl::string_view detail) {
        observer_.OnFault(job->request_id(), detail);
      });
  if (!status.ok()) {
    job->Answer(status);
  } else if (job->work().rendering->done()) {
    job->Answer(Rendered(*job));
  } else if (!job->answered() && !job->ExpireAt(clock_.Now())) {
    Schedule(job);
  }
}

// Between two pieces deadline and cancellation are looked at.
absl::Status RenderTurns::Turn(ActiveJob& job) {
  JobWork& work = job.work();
  const absl::Time start = clock_.Now();
  absl::Time now = start;
  const ScratchGate::Pass pass(scratch_, work.cost.render_scratch_bytes);
  do {
    RETURN_IF_ERROR(work.rendering->Step());
    now = clock_.Now();
  } while (!work.rendering->done() && now - start < kRenderTurn &&
           now < job.deadline() && !job.answered());
  work.times.render += now - start;
  return absl::OkStatus();
}

absl::StatusOr<Explanation> RenderTurns::Rendered(ActiveJob& job) {
  JobWork& work = job.work();
  observer_.OnStage("render", work.times.render);
  ASSIGN_OR_RETURN(Explanation explanation, work.rendering->Take());
  const SlicePasses& passes = work.passes.passes;
  explanation.batch_requests = passes.requests;
  explanation.batch_rows = std::max(passes.rows, 1);
  explanation.times = work.times;
  explanation.times.forward = passes.forward;
  explanation.times.backward = passes.backward;
  explanation.times.aggregate = passes.aggregate;
  return explanation;
}

}  // namespace saliency
