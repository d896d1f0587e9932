#include "server/services/stream_item.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/violations.h"
#include "google/protobuf/descriptor.h"
#include "server/convert/convert_answer.h"
#include "server/convert/convert_parts.h"

namespace saliency {
namespace {

constexpr int64_t kMaxIdBytes = 256;

}  // namespace

StreamItem::StreamItem(CallTracker& tracker, Arrival arrival,
                       const std::string& id, TakeAnswer take)
    : PendingCall(tracker, std::move(arrival)),
      take_(std::move(take)),
      response_(std::make_unique<v1::StreamSaliencyResponse>()) {
  response_->set_id(id);
}

void StreamItem::Send(const absl::Status& status,
                      std::optional<int64_t> /*retry_after_ms*/) {
  ToProto(status, response_->mutable_status());
  if (!status.ok()) response_->clear_response();
  take_(std::move(response_), TakeHold());
  delete this;
}

RequestShape QuestionShape(const v1::StreamSaliencyRequest& request) {
  const auto* type = v1::StreamSaliencyRequest::descriptor();
  return {.type = type,
          .part = type->FindFieldByNumber(request.request_case())};
}

std::string QuestionRpc(const RequestShape& shape) {
  return absl::StrCat("StreamSaliency.",
                      shape.part == nullptr ? "none" : shape.part->name());
}

absl::Status CheckQuestion(const v1::StreamSaliencyRequest& request) {
  Violations found;
  if (request.id().empty()) found.Add(absl::InvalidArgumentError("id: empty"));
  found.Add(CheckCount("id: bytes", static_cast<int64_t>(request.id().size()),
                       kMaxIdBytes));
  // Written so that what is no number fails too.
  if (request.has_timeout_seconds() && !(request.timeout_seconds() > 0)) {
    found.Add(absl::InvalidArgumentError(absl::StrCat(
        "timeout_seconds: ", request.timeout_seconds(), " is not positive")));
  }
  if (request.request_case() == v1::StreamSaliencyRequest::REQUEST_NOT_SET) {
    found.Add(absl::InvalidArgumentError("request: none is set"));
  }
  return found.status();
}

absl::Time QuestionDeadline(const v1::StreamSaliencyRequest& request,
                            absl::Time now, absl::Time stream_deadline) {
  if (!request.has_timeout_seconds()) return stream_deadline;
  return std::min(stream_deadline,
                  now + absl::Seconds(request.timeout_seconds()));
}

}  // namespace saliency
