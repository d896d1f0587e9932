// Job -> PassItem: everything about a job that can be wrong is found here,
// before a pass is spent on it; limits first, then memory.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_PREPARE_H_
#define SALIENCY_CORE_ENGINE_PLAN_PREPARE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/engine/plan/job_cost.h"
#include "core/engine/plan/plan_results.h"
#include "core/engine/plan/prepare_input.h"
#include "core/image/image.h"

namespace saliency {

// A job that is ready for the model, and what its answer will need.
struct PreparedJob {
  PassItem item;
  std::vector<PlannedResult> results;  // of each (image, target)
  std::vector<PlannedCombination> combinations;
  std::vector<PlannedResult> layer_results;  // see ResultPlan
  bool layer_maps = false;                   // hand those out too
  std::vector<ImageGeometry> images;
  std::optional<Image> image;  // for overlays
};

// Finds all that is wrong with a job and can be seen without decoding its
// input, of which only the header or the shape is looked at.  An input that is
// not there at all (an image of no bytes) is passed over.
void CheckJob(const Job& job, const ModelMetadata& model,
              const EngineLimits& limits, Violations& found);

// Bytes that the job's input holds from submission to answer: as received,
// as the model takes it, and the image an overlay is laid on.  Looks at the
// header or the shape only.
// Errors: INVALID_ARGUMENT naming the field, the value and the limit.
absl::StatusOr<int64_t> MeasureJob(const Job& job, const ModelMetadata& model,
                                   const EngineLimits& limits);

// What is known of a job before its input is looked into.
struct JobPlan {
  std::vector<PassTarget> targets;
  std::optional<MetaStep> meta;
  ResultPlan results;
  JobCost cost;
};

// All that can be wrong with a job but for its input's inside, and what it will
// take.  Errors: as PrepareJob.
absl::StatusOr<JobPlan> PlanJob(const Job& job, const ModelMetadata& model,
                                const EngineLimits& limits);

// Decodes the input of a job that was planned.
// Errors: as PrepareInput.
absl::StatusOr<PreparedJob> PrepareJob(const Job& job, JobPlan plan,
                                       const ModelMetadata& model,
                                       const EngineLimits& limits);

// Both.  Errors: INVALID_ARGUMENT all that CheckJob finds, or an input that
//   cannot be decoded; NOT_FOUND when no layer exists that was asked for.  One
//   layer that cannot be had among others is not an error: its result carries
//   the status.
absl::StatusOr<PreparedJob> PrepareJob(const Job& job,
                                       const ModelMetadata& model,
                                       const EngineLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_PREPARE_H_
