#include "server/pending_call.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/public_status.h"
#include "server/refusal_reason.h"
#include "server/request_id.h"

namespace saliency {

PendingCall::PendingCall(CallDesk& desk, Arrival arrival)
    : desk_(desk),
      arrival_(std::move(arrival)),
      arrived_at_(desk.clock().Now()) {
  record_.rpc = arrival_.rpc;
}

void PendingCall::SetModel(absl::string_view model, int64_t version) {
  record_.model = std::string(model);
  record_.version = absl::StrCat(version);
}

void PendingCall::FinishWith(const absl::Status& status, int64_t rows) {
  if (HidesDetail(status)) {
    log().Error("internal error",
                {{"request_id", request_id()}, {"detail", status.ToString()}});
  }
  record_.status = PublicStatus(status, request_id());
  record_.refusal = RefusalReason(status);
  record_.duration = desk_.clock().Now() - arrived_at_;
  // First: whoever has the answer finds it counted.
  desk_.Answered(record_, request_id(), rows);
  Send(record_.status, RetryPushbackMs(status));
}

void PendingCall::AddTrailingMetadata(
    std::optional<int64_t> retry_after_ms,
    grpc::CallbackServerContext& context) const {
  context.AddTrailingMetadata(kRequestIdKey, request_id());
  if (retry_after_ms.has_value()) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms",
                                absl::StrCat(*retry_after_ms));
  }
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) {
    return absl::InfiniteFuture();
  }
  return absl::FromChrono(deadline);
}

}  // namespace saliency
