#include "server/services/weight_sensitivity_call.h"

#include <utility>

#include "core/base/status.h"
#include "server/convert/public_status.h"
#include "server/transport/request_id.h"

namespace saliency {

WeightSensitivityCall* WeightSensitivityCall::Start(
    grpc::CallbackServerContext* context, CallTracker& tracker,
    RandomizationThreads& threads, Produce produce) {
  auto call = std::make_shared<WeightSensitivityCall>(context, tracker, threads,
                                                      std::move(produce));
  call->self_ = call;
  tracker.AddShutdownListener(call);
  if (call->admission().ok()) {
    call->ReadRequest(*context, tracker.request_watches(), call->request_id());
  } else {
    call->FinishWith(call->admission());
  }
  return call.get();
}

WeightSensitivityCall::WeightSensitivityCall(
    grpc::CallbackServerContext* context, CallTracker& tracker,
    RandomizationThreads& threads, Produce produce)
    : PendingCall(tracker,
                  {.rpc = "MeasureWeightSensitivity",
                   .request_id = RequestIdFrom(context->client_metadata()),
                   .caller = tracker.CallerOf(*context),
                   .deadline = DeadlineOf(*context),
                   .admission = tracker.Enter(*context),
                   .request = {.type = Request::descriptor()}}),
      context_(context),
      threads_(threads),
      produce_(std::move(produce)) {}

void WeightSensitivityCall::OnRequest(std::unique_ptr<Request> request) {
  const auto call = shared_from_this();
  const absl::Status started = threads_.Start(
      [call, asked = std::shared_ptr<Request>(std::move(request))] {
        call->ended_ = call->produce_(*call, *asked);
      },
      [call] {
        call->AwaitWritten();
        call->FinishWith(call->ended_, call->rows_);
      });
  if (!started.ok()) FinishWith(started);
}

absl::Status WeightSensitivityCall::Write(std::unique_ptr<Message> message,
                                          int64_t rows) {
  AwaitWritten();
  if (cancel_token()->cancelled()) {
    return absl::CancelledError("the caller has gone");
  }
  bool closing = false;
  {
    MutexLock lock(&mu_);
    closing = closing_;
    if (!closing) written_ = false;
  }
  if (closing) return tracker().CheckOpen();
  rows_ += rows;
  outgoing_ = std::move(message);
  send_ticket_ = tracker().BeginSend(context_->c_call(), request_id());
  StartWrite(outgoing_.get());
  return absl::OkStatus();
}

void WeightSensitivityCall::AwaitWritten() {
  MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&written_));
}

void WeightSensitivityCall::OnWriteDone(bool ok) {
  tracker().EndSend(std::exchange(send_ticket_, 0));
  // What cannot be written has no reader.
  if (!ok) cancel_token()->Cancel();
  MutexLock lock(&mu_);
  written_ = true;
}

void WeightSensitivityCall::OnClose() {
  MutexLock lock(&mu_);
  closing_ = true;
}

void WeightSensitivityCall::OnDone() {
  // The last owner may be the thread, or a drain that is being told.
  const std::shared_ptr<WeightSensitivityCall> self = std::move(self_);
  tracker().Leave(send_ticket_);
}

void WeightSensitivityCall::Send(const absl::Status& status,
                                 std::optional<int64_t> retry_after_ms) {
  AddTrailingMetadata(retry_after_ms, *context_);
  send_ticket_ = tracker().BeginSend(context_->c_call(), request_id());
  Finish(ToGrpcStatus(status));
}

}  // namespace saliency
