// The one place where LibTorch's exceptions become a Status.  Their text is for
// the log, never for callers: it names source files and addresses.
// Thread-safe.

#ifndef SALIENCY_CORE_MODEL_TORCH_STATUS_H_
#define SALIENCY_CORE_MODEL_TORCH_STATUS_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace saliency {

// Runs `work`.  An exception becomes
//   RESOURCE_EXHAUSTED  the device has no memory left
//   UNAVAILABLE         the device is lost
//   `code`              anything else
// with `what` as the message; the library's own words are attached as the
// payload that TorchDetail reads.
absl::Status CatchTorch(absl::StatusCode code, absl::string_view what,
                        const std::function<absl::Status()>& work);

// A status with the library's words `detail` attached, as CatchTorch makes
// them.
absl::Status WithTorchDetail(absl::StatusCode code, absl::string_view what,
                             absl::string_view detail);

// The library's words behind a status of CatchTorch; empty when there are none.
std::string TorchDetail(const absl::Status& status);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_TORCH_STATUS_H_
