#include "server/convert/refusal_reason.h"

#include "absl/strings/cord.h"
#include "core/engine/refusal.h"

namespace saliency {
namespace {

constexpr absl::string_view kReasonUrl = "saliency/refusal-reason";
constexpr absl::string_view kStudiesFull = "studies_full";
constexpr absl::string_view kCallsFull = "calls_full";
constexpr absl::string_view kUploadsFull = "uploads_full";
constexpr absl::string_view kFailed = "failed";
constexpr absl::string_view kReasons[] = {"draining", "loading"};

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  return status;
}

}  // namespace

absl::Status UnavailableBecause(absl::string_view reason,
                                absl::string_view message) {
  return WithReason(absl::UnavailableError(message), reason);
}

absl::Status FailedModelError(absl::string_view message) {
  return WithReason(absl::FailedPreconditionError(message), kFailed);
}

absl::Status StudiesFullError(absl::string_view message) {
  return WithReason(absl::ResourceExhaustedError(message), kStudiesFull);
}

absl::Status CallsFullError(absl::string_view message) {
  return WithReason(absl::ResourceExhaustedError(message), kCallsFull);
}

absl::Status UploadsFullError(absl::string_view message) {
  return WithReason(absl::ResourceExhaustedError(message), kUploadsFull);
}

absl::string_view RefusalReason(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    if (NeverRetry(status)) return "too_large";
    const auto payload = status.GetPayload(kReasonUrl);
    for (const absl::string_view reason :
         {kStudiesFull, kCallsFull, kUploadsFull}) {
      if (payload.has_value() && *payload == reason) return reason;
    }
    return "queue_full";
  }
  if (status.code() == absl::StatusCode::kUnauthenticated) {
    return "unauthenticated";
  }
  const auto payload = status.GetPayload(kReasonUrl);
  if (status.code() == absl::StatusCode::kFailedPrecondition) {
    return payload == kFailed ? kFailed : "";
  }
  if (status.code() != absl::StatusCode::kUnavailable) return "";
  for (const absl::string_view reason : kReasons) {
    if (payload.has_value() && *payload == reason) return reason;
  }
  return "unavailable";
}

}  // namespace saliency
