// Why a request was turned away without work, for the metric
// saliency_refused_total{reason}; rides on the status as a payload.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_REFUSAL_REASON_H_
#define SALIENCY_SERVER_CONVERT_REFUSAL_REASON_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace saliency {

// UNAVAILABLE with one of the reasons "draining" and "loading".
absl::Status UnavailableBecause(absl::string_view reason,
                                absl::string_view message);

// RESOURCE_EXHAUSTED, later, with the reason "studies_full": all places for
// calls that copy a model are taken.
absl::Status StudiesFullError(absl::string_view message);

// RESOURCE_EXHAUSTED, later, with the reason "calls_full": too many calls are
// in progress.
absl::Status CallsFullError(absl::string_view message);

// RESOURCE_EXHAUSTED, later, with the reason "uploads_full": too much is held
// of requests that have not come whole.
absl::Status UploadsFullError(absl::string_view message);

// The reason behind a refusal: that of UnavailableBecause, "unavailable" for
// another UNAVAILABLE; "failed" for FailedModelError (refusal.h); "too_large",
// "studies_full", "calls_full", "uploads_full" or else "queue_full" for
// RESOURCE_EXHAUSTED,
// "unauthenticated" for UNAUTHENTICATED; "" for a status that is no refusal.
// Never what a caller invented.
absl::string_view RefusalReason(const absl::Status& status);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_REFUSAL_REASON_H_
