// From the meta step a caller asks for to the one a pass takes.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_RESOLVE_META_STEP_H_
#define SALIENCY_CORE_ENGINE_PLAN_RESOLVE_META_STEP_H_

#include <optional>

#include "core/base/violations.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/model/probe.h"

namespace saliency {

// The job's step with a loss that suits the model; none when it asks for none.
// Finds what is INVALID_ARGUMENT, by field, value and limit, and
// FAILED_PRECONDITION when the model's file holds no parameters.
std::optional<MetaStep> ResolveMetaStep(const Job& job,
                                        const ModelMetadata& model,
                                        Violations& found);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_RESOLVE_META_STEP_H_
