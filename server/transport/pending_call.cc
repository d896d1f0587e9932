#include "server/transport/pending_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/deadline.h"
#include "grpc/support/time.h"
#include "server/convert/public_status.h"
#include "server/convert/refusal_reason.h"
#include "server/transport/request_id.h"

namespace saliency {

PendingCall::PendingCall(CallTracker& tracker, Arrival arrival)
    : tracker_(tracker),
      arrival_(std::move(arrival)),
      arrived_at_(tracker.clock().Now()) {
  record_.rpc = arrival_.rpc;
}

void PendingCall::SetModel(absl::string_view model, int64_t version) {
  record_.model = std::string(model);
  record_.version = absl::StrCat(version);
}

void PendingCall::FinishWith(const absl::Status& ending, int64_t rows) {
  const absl::Time now = tracker_.clock().Now();
  // A caller that leaves at its deadline has not cancelled anything.
  const absl::Status status =
      absl::IsCancelled(ending) && LeftByDeadline(arrived_at_, now, deadline())
          ? absl::DeadlineExceededError("the deadline passed")
          : ending;
  if (HidesDetail(status)) {
    log().Error("internal error",
                {{"request_id", request_id()}, {"detail", status.ToString()}});
  }
  record_.status = WithDetails(PublicStatus(status, request_id()), status,
                               {.request_id = request_id(),
                                .model = record_.model,
                                .version = record_.version,
                                .request = arrival_.request});
  record_.refusal = RefusalReason(status);
  record_.duration = now - arrived_at_;
  // First: whoever has the answer finds it counted.
  tracker_.Answered(record_, request_id(), rows);
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
  // Not context.deadline(): nanoseconds of 64 bits end in the year 2262, and
  // what lies beyond comes out in the past.
  const gpr_timespec deadline = context.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
    return absl::InfiniteFuture();
  }
  const gpr_timespec real =
      gpr_convert_clock_type(deadline, GPR_CLOCK_REALTIME);
  return absl::FromUnixSeconds(real.tv_sec) + absl::Nanoseconds(real.tv_nsec);
}

}  // namespace saliency
