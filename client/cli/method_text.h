// Methods with parameters as people type them: "smooth_grad(samples=20)",
// "integrated_gradients(steps=100,baseline=mean)".  Of a parameter that is an
// image the value names its file.
// Safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_METHOD_TEXT_H_
#define SALIENCY_CLIENT_CLI_METHOD_TEXT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

// Whether parameters stand behind the name: NAME(...).
bool HasParameters(absl::string_view text);

// Ranges are checked by the server.
// Errors: INVALID_ARGUMENT naming the method or parameter that is not known, or
//   the value that is none; as ReadFile.
// REQUIRES: HasParameters(text).
absl::StatusOr<v1::Attribution> ParseParameters(absl::string_view text);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_METHOD_TEXT_H_
