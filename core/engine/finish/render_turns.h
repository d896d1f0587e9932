// Renders jobs on the CPU pool, each a few maps at a time, so that others have
// their turn between; the last turn answers.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_FINISH_RENDER_TURNS_H_
#define SALIENCY_CORE_ENGINE_FINISH_RENDER_TURNS_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/thread_pool.h"
#include "core/engine/active_job.h"
#include "core/engine/engine_observer.h"
#include "core/engine/scratch_gate.h"
#include "core/engine/work_in_hand.h"

namespace saliency {

class RenderTurns {
 public:
  // All outlive the work of the pool, and this does.
  RenderTurns(ThreadPool& pool, ScratchGate& scratch, WorkInHand& in_hand,
              Clock& clock, EngineObserver& observer)
      : pool_(pool),
        scratch_(scratch),
        in_hand_(in_hand),
        clock_(clock),
        observer_(observer) {}

  // Renders and answers the job.  REQUIRES: it has a rendering in its work(),
  // which belongs to this from now on.
  void Schedule(const std::shared_ptr<ActiveJob>& job);

 private:
  void Render(const std::shared_ptr<ActiveJob>& job);
  absl::Status Turn(ActiveJob& job);
  absl::StatusOr<Explanation> Rendered(ActiveJob& job);

  ThreadPool& pool_;
  ScratchGate& scratch_;
  WorkInHand& in_hand_;
  Clock& clock_;
  EngineObserver& observer_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_RENDER_TURNS_H_
