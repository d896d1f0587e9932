// What a network's output means: by its configuration, by the activation at the
// graph's end, and by what it returns for random images.
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_CHECK_OUTPUT_TRIAL_H_
#define SALIENCY_CORE_MODEL_CHECK_OUTPUT_TRIAL_H_

#include "absl/status/status.h"
#include "core/model/probed_model.h"
#include "core/model/probed_network.h"

namespace saliency {

// Finds the meaning, unless `options` has it, and sets it in `network`.
// Errors: INVALID_ARGUMENT the output has a shape that is refused, or is not
//   what the configuration says; those of a pass.
// Throws what LibTorch throws.
absl::Status UnderstandOutput(const LoadOptions& options,
                              ProbedNetwork& network);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_OUTPUT_TRIAL_H_
