#include "server/services/stream_item.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/violations.h"
#include "google/protobuf/descriptor.h"
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
                      std::optional<int64_t> retry_after_ms) {
  v1::ResultStatus* out = response_->mutable_status();
  out->set_code(static_cast<int32_t>(status.code()));
  out->set_message(std::string(status.message()));
  if (!status.ok()) response_->clear_answer();
  if (retry_after_ms.has_value()) {
    response_->set_retry_after_ms(static_cast<int32_t>(*retry_after_ms));
  }
  take_(std::move(response_), TakeHold());
  delete this;
}

std::string QuestionRpc(const v1::StreamSaliencyRequest& request) {
  const auto* kind = v1::StreamSaliencyRequest::descriptor()->FindFieldByNumber(
      request.question_case());
  return absl::StrCat("StreamSaliency.",
                      kind == nullptr ? "none" : kind->name());
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
  if (request.question_case() == v1::StreamSaliencyRequest::QUESTION_NOT_SET) {
    found.Add(absl::InvalidArgumentError("question: none is set"));
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
