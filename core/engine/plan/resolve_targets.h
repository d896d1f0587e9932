// From the classes a caller names to the targets a pass understands.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_RESOLVE_TARGETS_H_
#define SALIENCY_CORE_ENGINE_PLAN_RESOLVE_TARGETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/model/probe.h"

namespace saliency {

// One target for each of the job's; none means the predicted class.  A label
// that stands in several lines of labels.txt is refused with their indices.
// Finds what is INVALID_ARGUMENT, by field, value and limit; a score that takes
// logits of a model that returns none.
std::vector<PassTarget> ResolveTargets(const Job& job,
                                       const ModelMetadata& model,
                                       const EngineLimits& limits,
                                       Violations& found);

// One target by itself; `field` is its name in messages, as "targets[1]".
absl::StatusOr<PassTarget> ResolveJobTarget(const JobTarget& target,
                                            const ModelMetadata& model,
                                            const std::string& field);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_RESOLVE_TARGETS_H_
