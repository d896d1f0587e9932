// PassAnswer -> Explanation: one result for each picture x target x planned
// result or combination, each with its own status.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_H_
#define SALIENCY_CORE_ENGINE_FINISH_H_

#include "absl/status/statusor.h"
#include "core/engine/explainer.h"
#include "core/engine/finish_row.h"
#include "core/engine/job.h"
#include "core/engine/model_facts.h"
#include "core/engine/prepare.h"

namespace saliency {

struct FinishOptions {
  OutputOptions output;
  int top_k = 5;
  bool plain_maps = false;  // as those of the job
  Correlate correlate = Correlate::kNone;
  // Whether an explanation without a single map is an answer too.
  bool all_may_fail = false;
};

// Adds what the row comes to: results, combined and layer_maps.
void AppendRow(const FinishRow& row, const PreparedJob& prepared,
               Explanation& explanation);

// Fills model, version, pictures and all results.
// REQUIRES: two targets or more for Correlate::kTargets.
// Errors: as OverallStatus unless all_may_fail; FAILED_PRECONDITION pooled
// features that are not
//   finite; INTERNAL when the answer does not have the prepared
//   job's shape.
absl::StatusOr<Explanation> FinishJob(const PreparedJob& prepared,
                                      const PassAnswer& answer,
                                      const ModelFacts& model,
                                      const FinishOptions& options);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_H_
