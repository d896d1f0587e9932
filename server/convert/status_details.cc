#include "server/convert/status_details.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "core/base/violations.h"
#include "google/rpc/error_details.pb.h"
#include "server/convert/field_path.h"
#include "server/convert/public_status.h"
#include "server/convert/refusal_reason.h"

namespace saliency {
namespace {

constexpr absl::string_view kDomain = "saliency.v1";

template <typename Detail>
std::string UrlOf() {
  return absl::StrCat("type.googleapis.com/",
                      Detail::descriptor()->full_name());
}

template <typename Detail>
void Attach(const Detail& detail, absl::Status& status) {
  status.SetPayload(UrlOf<Detail>(), absl::Cord(detail.SerializeAsString()));
}

// What metadata has room for.  The message travels twice: percent-encoded, and
// with the details in base64.
int64_t RoomForViolations(absl::string_view message) {
  constexpr int64_t kMetadataBytes = 7600;  // of 8 KiB, with other metadata
  constexpr int64_t kOtherDetailsBytes = 400;
  const auto size_bytes = static_cast<int64_t>(message.size());
  const int64_t encoded =
      std::count_if(message.begin(), message.end(),
                    [](char c) { return c < ' ' || c > '~' || c == '%'; });
  const int64_t encoded_bytes = size_bytes + 2 * encoded;
  return (kMetadataBytes - encoded_bytes) * 3 / 4 - size_bytes -
         kOtherDetailsBytes;
}

FieldMessage Locate(absl::string_view text, const RequestShape& request) {
  if (request.type == nullptr) return {.description = std::string(text)};
  FieldMessage found = SplitField(text, *request.type);
  if (!found.path.empty() || request.part == nullptr) return found;
  found = SplitField(text, *request.part->message_type());
  if (!found.path.empty()) {
    found.path = absl::StrCat(request.part->name(), ".", found.path);
  }
  return found;
}

google::rpc::BadRequest BadRequestOf(const absl::Status& status,
                                     const RequestShape& request) {
  google::rpc::BadRequest bad;
  int64_t room = RoomForViolations(status.message());
  for (const std::string& text : ViolationsOf(status)) {
    FieldMessage found = Locate(text, request);
    // What is not there may be a field's value, or not.
    if (absl::IsNotFound(status) && found.path.empty()) continue;
    constexpr int64_t kFramingBytes = 8;
    room -= static_cast<int64_t>(found.path.size() + found.description.size()) +
            kFramingBytes;
    if (room < 0) break;
    auto* violation = bad.add_field_violations();
    violation->set_field(std::move(found.path));
    violation->set_description(std::move(found.description));
  }
  return bad;
}

google::rpc::ErrorInfo ErrorInfoOf(const absl::Status& shown,
                                   const absl::Status& status,
                                   const ErrorContext& context) {
  google::rpc::ErrorInfo info;
  const absl::string_view refusal = RefusalReason(status);
  info.set_reason(refusal.empty() ? absl::StatusCodeToString(shown.code())
                                  : absl::AsciiStrToUpper(refusal));
  info.set_domain(std::string(kDomain));
  auto& metadata = *info.mutable_metadata();
  metadata["request_id"] = context.request_id;
  if (!context.model.empty()) metadata["model"] = context.model;
  if (!context.version.empty()) metadata["version"] = context.version;
  return info;
}

}  // namespace

absl::Status WithDetails(absl::Status shown, const absl::Status& status,
                         const ErrorContext& context) {
  if (shown.ok()) return shown;
  Attach(ErrorInfoOf(shown, status, context), shown);
  if (absl::IsInvalidArgument(status) || absl::IsNotFound(status)) {
    const auto bad = BadRequestOf(status, context.request);
    if (bad.field_violations_size() > 0) Attach(bad, shown);
  }
  if (const std::optional<int64_t> delay_ms = RetryPushbackMs(status);
      delay_ms.has_value() && *delay_ms >= 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(*delay_ms / 1000);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(*delay_ms % 1000) * 1'000'000);
    Attach(retry, shown);
  }
  return shown;
}

google::protobuf::RepeatedPtrField<google::protobuf::Any> DetailsOf(
    const absl::Status& status) {
  google::protobuf::RepeatedPtrField<google::protobuf::Any> details;
  for (const std::string& url :
       {UrlOf<google::rpc::ErrorInfo>(), UrlOf<google::rpc::BadRequest>(),
        UrlOf<google::rpc::RetryInfo>()}) {
    const auto payload = status.GetPayload(url);
    if (!payload.has_value()) continue;
    google::protobuf::Any& detail = *details.Add();
    detail.set_type_url(url);
    detail.set_value(std::string(*payload));
  }
  return details;
}

}  // namespace saliency
