// Which modules a cascade of random weights goes through, and in which order:
// from the output backwards (the paper, sec. 4.5).
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_CASCADE_STAGES_H_
#define SALIENCY_CORE_ENGINE_RUN_CASCADE_STAGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace saliency {

// The parameterised modules of the first level, last one first.  Where these
// are fewer than four ("features" and "classifier", or one "backbone"), those
// of the level below take their places, as long as there is one.
// `parameter_names` are dotted, in the order of the graph
// (ProbedModel::parameter_names).  Parameters of the root belong to no module.
std::vector<std::string> DefaultStages(
    absl::Span<const std::string> parameter_names);

// Errors: NOT_FOUND a stage that is no module with parameters, with near names;
//   INVALID_ARGUMENT one that is named twice.
absl::Status CheckStages(absl::Span<const std::string> stages,
                         absl::Span<const std::string> parameter_names);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_CASCADE_STAGES_H_
