#include "core/engine/refusal.h"

#include "absl/strings/cord.h"

namespace saliency {
namespace {

constexpr absl::string_view kNeverRetry = "saliency/never-retry";

}  // namespace

absl::Status TooLargeError(absl::string_view message) {
  absl::Status status = absl::ResourceExhaustedError(message);
  status.SetPayload(kNeverRetry, absl::Cord());
  return status;
}

bool NeverRetry(const absl::Status& status) {
  return status.GetPayload(kNeverRetry).has_value();
}

}  // namespace saliency
