// How much maps owe to the weights: the same maps again and again, with ever
// more modules of a copy of the model made random, from the output backwards.
//
// Source: the paper, sec. 4.5, App. E; Adebayo et al., "Sanity Checks for
// Saliency Maps", NeurIPS 2018, arXiv:1810.03292 (cascading randomisation).
// Functions without state of their own; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_CASCADING_RANDOMIZATION_H_
#define SALIENCY_CORE_ENGINE_RUN_CASCADING_RANDOMIZATION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/engine_limits.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/engine/work_in_hand.h"

namespace saliency {

// A copy of a model for one stage; nobody else has it.
struct ModelCopy {
  std::unique_ptr<Explainer> explainer;
  std::vector<std::string> parameter_names;  // as of ProbedModel
};
// Makes a copy with the modules at these dotted paths made random; the same
// modules get the same weights every time.
using CopyModel = std::function<absl::StatusOr<ModelCopy>(
    absl::Span<const std::string> random_modules)>;

struct CascadeStage {
  int stage = 0;       // 0: the model as it is
  int stages = 1;      // how many there are, that one included
  std::string module;  // made random at this stage; empty for stage 0
  // With correlations and absolute_correlations to stage 0.
  Explanation explanation;
};
// Takes the stages in order; its error ends the cascade.
using TakeStage = std::function<absl::Status(CascadeStage stage)>;

// What is asked; all that is referred to outlives the cascade.
struct CascadeQuestion {
  const Job& job;  // the meta step of each stage included
  // Modules in the order in which they are made random; empty: DefaultStages.
  std::vector<std::string> stages;
  const ModelMetadata& model;
  const EngineLimits& limits;
  WorkInHand& in_hand;  // where each stage is noted
};

// Explains the job at every stage; the class that a target means at stage 0
// stays the one that is explained.  Holds one copy at a time, and the maps of
// stage 0.  Cancellation and deadline are looked at between stages.
// Errors: as PrepareJob, CheckStages, Explainer::Explain, `copy` and `take`;
//   FAILED_PRECONDITION the model's file holds no modules with parameters;
//   CANCELLED; DEADLINE_EXCEEDED.
absl::Status RunCascade(const CascadeQuestion& question, const CopyModel& copy,
                        const TakeStage& take);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_CASCADING_RANDOMIZATION_H_
