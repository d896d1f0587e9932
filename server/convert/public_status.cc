#include "server/convert/public_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/engine/refusal.h"
#include "google/rpc/status.pb.h"
#include "server/convert/status_details.h"

namespace saliency {

bool HidesDetail(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnavailable:
      return false;
    default:
      return true;
  }
}

absl::Status PublicStatus(const absl::Status& status,
                          absl::string_view request_id) {
  if (HidesDetail(status)) {
    return absl::InternalError(
        absl::StrCat("internal error, request id ", request_id));
  }
  return {status.code(), status.message()};
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  google::rpc::Status all;
  *all.mutable_details() = DetailsOf(status);
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  if (all.details().empty()) return {code, message};
  // Clients compare both with what the call itself ends with.
  all.set_code(code);
  all.set_message(message);
  return {code, message, all.SerializeAsString()};
}

std::optional<int64_t> RetryPushbackMs(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kResourceExhausted) {
    return std::nullopt;
  }
  if (NeverRetry(status)) return -1;
  return absl::ToInt64Milliseconds(kRetryPushback);
}

}  // namespace saliency
