// config.pbtxt as Triton's users write it (triton_config.proto) to the plain
// ModelConfig.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_TRITON_CONFIG_H_
#define SALIENCY_SERVER_CONVERT_TRITON_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/model/model_config.h"

namespace saliency {

// Whether the text reads like one of Triton's.
bool IsTritonConfig(const std::string& text);

// `gpus` is how many there are.  What is not taken is in the config's notes.
// Errors: INVALID_ARGUMENT in one line: where the text cannot be read, or the
//   field, its value and why such a model is not served.
absl::StatusOr<ModelConfig> ParseTritonConfig(const std::string& text,
                                              int gpus);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_TRITON_CONFIG_H_
