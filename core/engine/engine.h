// The engine: takes jobs for any loaded model, answers each exactly once.
//
//   any thread    Submit: admit or refuse
//   CPU pool      decode and preprocess, resolve names against the model
//   replica       a worker pulls a batch, runs the explainer
//   CPU pool      resize, normalise, combine, encode; `done`
//
// A job of PrecomputedMaps asks no model: the CPU pool alone answers it.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_ENGINE_H_
#define SALIENCY_CORE_ENGINE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/engine/admission.h"
#include "core/engine/engine_limits.h"
#include "core/engine/engine_observer.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/engine/model_table.h"
#include "core/engine/work_in_hand.h"
#include "core/model/loaded_model.h"

namespace saliency {

class Engine {
 public:
  struct Options {
    EngineLimits limits;
    int cpu_threads = 2;                     // decode and render
    std::function<void()> on_models_change;  // as ModelTable's; may be null
  };

  // `clock` and `observer` outlive the engine.
  Engine(const Options& options, Clock& clock, EngineObserver& observer);
  // Answers everything (what is not running yet with UNAVAILABLE), then joins
  // all threads.
  ~Engine();

  // Which models there are.  A job is answered by the version that is found
  // there when it comes.
  ModelTable& models();

  // Starts the workers of a model, one thread for each replica.  They get no
  // jobs but by SubmitTo until what comes back is published in models(); they
  // end as ServedModel says.
  // REQUIRES: what comes back is published, or gone, before the engine ends.
  std::shared_ptr<ServedModel> StartModel(std::shared_ptr<LoadedModel> model);
  // The same from parts: one worker per explainer; `keep_alive` is what they
  // refer to.  REQUIRES: at least one explainer.
  std::shared_ptr<ServedModel> StartModel(
      const ModelMetadata& metadata,
      std::vector<std::unique_ptr<Explainer>> explainers,
      const std::shared_ptr<void>& keep_alive);

  // Admits the job or answers it at once.  `done` runs exactly once, on any
  // thread and under no lock.
  // RESOURCE_EXHAUSTED tells "later" from "never" by NeverRetry (refusal.h).
  void Submit(Job job, JobDone done);
  // The same for a version that need not be published: `model` answers,
  // whatever the job names.
  void SubmitTo(const ModelTable::Entry& model, Job job, JobDone done);

  // Memory of work that does not come by Submit, from the same budget; returned
  // when what comes back goes.  Errors: as ByteBudget::Take.
  absl::StatusOr<std::shared_ptr<void>> HoldBytes(const std::string& caller,
                                                  int64_t bytes);

  // From now on Submit answers UNAVAILABLE; waits until all is answered or
  // `deadline` has passed, when what is left gets UNAVAILABLE.  Returns whether
  // all was answered in time.
  bool Drain(absl::Time deadline);

  EngineLoad load() const;

  // What its threads have had in hand the longest without progress (a pass that
  // ends, an image that is decoded or rendered); none: they are idle.
  std::optional<IdleWork> LongestIdle();
  // Where long work besides its own (calibrations, weight studies) is noted, to
  // be seen by LongestIdle.
  WorkInHand& in_hand();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_ENGINE_H_
