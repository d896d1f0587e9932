// Refusals that say more than their code: RESOURCE_EXHAUSTED comes in two
// kinds, come back later and never come back; and the edge counts refusals by a
// reason, which rides on the status as a payload.
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

// `status`, which is not OK, with a reason of one word.
absl::Status WithRefusalReason(absl::Status status, absl::string_view reason);
// Whether `status` carries that reason.
bool HasRefusalReason(const absl::Status& status, absl::string_view reason);

// UNAVAILABLE with the reason "loading": asking again later helps.
absl::Status ModelLoadingError(absl::string_view message);

// FAILED_PRECONDITION with the reason "failed": the model could not be loaded,
// and asking again does not help.
absl::Status FailedModelError(absl::string_view message);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_REFUSAL_H_
