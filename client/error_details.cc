#include "client/error_details.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace saliency {
namespace {

// None where the status has no such detail, or an invalid one.
template <typename Detail>
std::optional<Detail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(
      absl::StrCat("type.googleapis.com/", Detail::descriptor()->full_name()));
  Detail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) {
    return std::nullopt;
  }
  return detail;
}

// `wire` has the fields of google.rpc.Status.
template <typename Status>
absl::Status WithPayloads(absl::Status status, const Status& wire) {
  for (const google::protobuf::Any& detail : wire.details()) {
    status.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return status;
}

}  // namespace

std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  if (!bad.has_value()) return violations;
  for (const auto& one : bad->field_violations()) {
    violations.push_back(
        {.field = one.field(), .description = one.description()});
  }
  return violations;
}

std::string ErrorReasonOf(const absl::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  return info.has_value() ? info->reason() : "";
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return std::nullopt;
  const auto retry = DetailOf<google::rpc::RetryInfo>(status);
  if (!retry.has_value()) return std::nullopt;
  return absl::Seconds(retry->retry_delay().seconds()) +
         absl::Nanoseconds(retry->retry_delay().nanos());
}

absl::Status StatusFrom(const grpc::Status& status) {
  google::rpc::Status all;
  // What cannot be parsed is no reason to lose the code and the message.
  if (!all.ParseFromString(status.error_details())) all.Clear();
  return WithPayloads({static_cast<absl::StatusCode>(status.error_code()),
                       status.error_message()},
                      all);
}

absl::Status StatusFrom(const v1::ResultStatus& status) {
  return WithPayloads(
      {static_cast<absl::StatusCode>(status.code()), status.message()}, status);
}

}  // namespace saliency
