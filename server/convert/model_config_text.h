// config.pbtxt (text format of saliency.v1.ModelConfig, or a Triton one) to the
// plain ModelConfig that the rest of the program uses.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_MODEL_CONFIG_TEXT_H_
#define SALIENCY_SERVER_CONVERT_MODEL_CONFIG_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/model/model_config.h"

namespace saliency {

// Errors: INVALID_ARGUMENT in one line: where the text is neither, or the field
//   with its value and limit.
absl::StatusOr<ModelConfig> ParseModelConfigText(const std::string& text);

// The same on a machine with so many GPUs, for a text that leaves it open where
// to run.
absl::StatusOr<ModelConfig> ParseModelConfigTextWith(int gpus,
                                                     const std::string& text);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_MODEL_CONFIG_TEXT_H_
