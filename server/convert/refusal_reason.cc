#include "server/convert/refusal_reason.h"

#include "core/engine/refusal.h"

namespace saliency {
namespace {

constexpr absl::string_view kStudiesFull = "studies_full";
constexpr absl::string_view kCallsFull = "calls_full";
constexpr absl::string_view kUploadsFull = "uploads_full";
constexpr absl::string_view kFailed = "failed";
constexpr absl::string_view kReasons[] = {"draining", "loading"};

}  // namespace

absl::Status UnavailableBecause(absl::string_view reason,
                                absl::string_view message) {
  return WithRefusalReason(absl::UnavailableError(message), reason);
}

absl::Status StudiesFullError(absl::string_view message) {
  return WithRefusalReason(absl::ResourceExhaustedError(message), kStudiesFull);
}

absl::Status CallsFullError(absl::string_view message) {
  return WithRefusalReason(absl::ResourceExhaustedError(message), kCallsFull);
}

absl::Status UploadsFullError(absl::string_view message) {
  return WithRefusalReason(absl::ResourceExhaustedError(message), kUploadsFull);
}

absl::string_view RefusalReason(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    if (NeverRetry(status)) return "too_large";
    for (const absl::string_view reason :
         {kStudiesFull, kCallsFull, kUploadsFull}) {
      if (HasRefusalReason(status, reason)) return reason;
    }
    return "queue_full";
  }
  if (status.code() == absl::StatusCode::kUnauthenticated) {
    return "unauthenticated";
  }
  if (status.code() == absl::StatusCode::kFailedPrecondition) {
    return HasRefusalReason(status, kFailed) ? kFailed : "";
  }
  if (status.code() != absl::StatusCode::kUnavailable) return "";
  for (const absl::string_view reason : kReasons) {
    if (HasRefusalReason(status, reason)) return reason;
  }
  return "unavailable";
}

}  // namespace saliency
