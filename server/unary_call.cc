#include "server/unary_call.h"

#include <string>

#include "server/public_status.h"
#include "server/request_id.h"

namespace saliency {

UnaryCall::UnaryCall(grpc::CallbackServerContext* context, CallDesk& desk,
                     absl::string_view rpc)
    : PendingCall(desk,
                  {.rpc = std::string(rpc),
                   .request_id = RequestIdFrom(context->client_metadata()),
                   .caller = desk.CallerOf(*context),
                   .deadline = DeadlineOf(*context),
                   .admission = desk.Enter(*context)}),
      context_(context) {}

void UnaryCall::Send(const absl::Status& status,
                     std::optional<int64_t> retry_after_ms) {
  AddTrailingMetadata(retry_after_ms, *context_);
  send_ticket_ = desk().BeginSend(context_->c_call(), request_id());
  Finish(ToGrpcStatus(status));
}

void UnaryCall::OnDone() {
  desk().Leave(send_ticket_);
  delete this;
}

}  // namespace saliency
