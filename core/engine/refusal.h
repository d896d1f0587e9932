// RESOURCE_EXHAUSTED comes in two kinds: come back later, and never come back.
// The edge turns the difference into retry push-back.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_REFUSAL_H_
#define SALIENCY_CORE_ENGINE_REFUSAL_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace saliency {

// RESOURCE_EXHAUSTED that no retry can cure: the item is too large even alone.
absl::Status TooLargeError(absl::string_view message);

// Whether `status` came from TooLargeError.
bool NeverRetry(const absl::Status& status);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_REFUSAL_H_
