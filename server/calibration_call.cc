#include "server/calibration_call.h"

#include <utility>

#include "server/public_status.h"
#include "server/request_id.h"

namespace saliency {

CalibrationCall::CalibrationCall(grpc::CallbackServerContext* context,
                                 CallDesk& desk, Begin begin)
    : PendingCall(desk,
                  {.rpc = "CalibrateLayerWeights",
                   .request_id = RequestIdFrom(context->client_metadata()),
                   .deadline = DeadlineOf(*context),
                   .admission = desk.Enter(*context)}),
      context_(context),
      begin_(std::move(begin)) {
  if (!admission().ok()) {
    FinishWith(admission());
  } else if (begin_ == nullptr) {
    FinishWith(absl::PermissionDeniedError(
        "calibration is off: start the server with --allow-calibration"));
  } else {
    Read();
  }
}

void CalibrationCall::Write(v1::CalibrateLayerWeightsResponse response) {
  response_ = std::move(response);
  StartWrite(&response_);
}

absl::Status CalibrationCall::BeginWith(bool is_there) {
  if (!is_there) {
    return absl::InvalidArgumentError(
        "settings: the stream ended before they came");
  }
  if (!request_.has_settings()) {
    return absl::InvalidArgumentError(
        "settings: missing; they are the first message");
  }
  // A thread may read into request_ as soon as there is one.
  const v1::CalibrationSettings settings =
      std::move(*request_.mutable_settings());
  return begin_(*this, settings);
}

void CalibrationCall::OnReadDone(bool ok) {
  if (!has_begun_) {
    has_begun_ = true;
    const absl::Status begun = BeginWith(ok);
    if (!begun.ok()) FinishWith(begun);
    return;  // another thread's from here on
  }
  if (ok) {
    mailbox_->Put(std::move(request_));
  } else {
    mailbox_->Put(CallerIsDone());
  }
}

void CalibrationCall::OnCancel() {
  mailbox_->End(absl::CancelledError("the caller cancelled the calibration"));
}

// No push-back: a stream that has been read from cannot be sent again.
void CalibrationCall::Send(const absl::Status& status,
                           std::optional<int64_t> /*retry_after_ms*/) {
  context_->AddTrailingMetadata(kRequestIdKey, request_id());
  send_ticket_ = desk().BeginSend(context_->c_call(), request_id());
  Finish(ToGrpcStatus(status));
}

void CalibrationCall::OnDone() {
  desk().Leave(send_ticket_);
  delete this;
}

}  // namespace saliency
