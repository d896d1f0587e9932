// What a job will take, known before any of it is taken: memory that it holds
// while it is in the engine and while its answer waits to leave, memory that a
// piece of its rendering uses, and the work of decoding and rendering.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_JOB_COST_H_
#define SALIENCY_CORE_ENGINE_PLAN_JOB_COST_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/engine/plan/check_output.h"
#include "core/engine/plan/plan_results.h"

namespace saliency {

struct JobCost {
  // From its admission until the engine is done with it.
  int64_t input_bytes = 0;
  // Raw maps and answer, the latter as a message and as it is sent; at most.
  int64_t answer_bytes = 0;
  // Of decoding, and of a piece of rendering, at most.
  int64_t decode_scratch_bytes = 0;
  int64_t render_scratch_bytes = 0;
  // Pixels, each as often as what is done to it costs: 1 to resize, normalise
  // and hand out a map, 2 to smooth it, 5 to make a PNG of it; 16 to rank it
  // for a correlation; 1 or 2 for each layer of a sum or product of maps; 1 to
  // decode an image.  About 20 ns each on a core of 2024.
  double work = 0;
};

// Of all but the input's bytes, which the caller fills in.
JobCost CostOf(const Job& job, const ResultPlan& plan, const MapSizes& sizes);

// What decoding an image takes while it lasts, in bytes.
int64_t DecodeScratch(const InputSize& size);

// Errors: INVALID_ARGUMENT more work than the limit.
absl::Status CheckWork(const JobCost& cost, const EngineLimits& limits);

// What a finished answer holds until it has left: its bytes as a message and as
// they are sent.
int64_t BytesOf(const Explanation& explanation);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_JOB_COST_H_
