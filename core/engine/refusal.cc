#include "core/engine/refusal.h"

#include "absl/strings/cord.h"

namespace saliency {
namespace {

constexpr absl::string_view kNeverRetry = "saliency/never-retry";
constexpr absl::string_view kReason = "saliency/refusal-reason";

}  // namespace

absl::Status TooLargeError(absl::string_view message) {
  absl::Status status = absl::ResourceExhaustedError(message);
  status.SetPayload(kNeverRetry, absl::Cord());
  return status;
}

bool NeverRetry(const absl::Status& status) {
  return status.GetPayload(kNeverRetry).has_value();
}

absl::Status WithRefusalReason(absl::Status status, absl::string_view reason) {
  status.SetPayload(kReason, absl::Cord(reason));
  return status;
}

bool HasRefusalReason(const absl::Status& status, absl::string_view reason) {
  const auto payload = status.GetPayload(kReason);
  return payload.has_value() && *payload == reason;
}

absl::Status ModelLoadingError(absl::string_view message) {
  return WithRefusalReason(absl::UnavailableError(message), "loading");
}

absl::Status FailedModelError(absl::string_view message) {
  return WithRefusalReason(absl::FailedPreconditionError(message), "failed");
}

}  // namespace saliency
