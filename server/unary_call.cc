#include "server/unary_call.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/public_status.h"
#include "server/refusal_reason.h"
#include "server/request_id.h"

namespace saliency {
namespace {

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) {
    return absl::InfiniteFuture();
  }
  return absl::FromChrono(deadline);
}

}  // namespace

UnaryCall::UnaryCall(grpc::CallbackServerContext* context, CallDesk& desk,
                     absl::string_view rpc)
    : context_(context),
      desk_(desk),
      arrival_(desk.clock().Now()),
      request_id_(RequestIdFrom(context->client_metadata())),
      deadline_(DeadlineOf(*context)),
      admission_(desk.Enter(*context)) {
  record_.rpc = std::string(rpc);
}

void UnaryCall::SetModel(absl::string_view model, int64_t version) {
  record_.model = std::string(model);
  record_.version = absl::StrCat(version);
}

void UnaryCall::FinishWith(const absl::Status& status, int64_t rows) {
  if (HidesDetail(status)) {
    desk_.log().Error("internal error", {{"request_id", request_id_},
                                         {"detail", status.ToString()}});
  }
  record_.status = PublicStatus(status, request_id_);
  record_.refusal = RefusalReason(status);
  record_.duration = desk_.clock().Now() - arrival_;
  context_->AddTrailingMetadata(kRequestIdKey, request_id_);
  if (const auto pushback = RetryPushbackMs(status); pushback.has_value()) {
    context_->AddTrailingMetadata("grpc-retry-pushback-ms",
                                  absl::StrCat(*pushback));
  }
  // Before Finish: whoever has the answer finds it counted.
  desk_.Answered(record_, request_id_, rows);
  send_ticket_ = desk_.BeginSend(context_->c_call(), request_id_);
  Finish(ToGrpcStatus(record_.status));
}

void UnaryCall::OnDone() {
  desk_.Leave(send_ticket_);
  delete this;
}

}  // namespace saliency
