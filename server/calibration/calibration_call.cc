#include "server/calibration/calibration_call.h"

#include <utility>

#include "core/base/status.h"
#include "server/convert/public_status.h"
#include "server/transport/request_id.h"

namespace saliency {

CalibrationCall::CalibrationCall(grpc::CallbackServerContext* context,
                                 CallTracker& tracker, Begin begin)
    : PendingCall(
          tracker,
          {.rpc = "CalibrateLayerWeights",
           .request_id = RequestIdFrom(context->client_metadata()),
           .caller = tracker.CallerOf(*context),
           .deadline = DeadlineOf(*context),
           .admission = tracker.Enter(*context),
           .request = {.type =
                           v1::CalibrateLayerWeightsRequest::descriptor()}}),
      context_(context),
      begin_(std::move(begin)) {}

CalibrationCall* CalibrationCall::Start(grpc::CallbackServerContext* context,
                                        CallTracker& tracker, Begin begin) {
  auto call =
      std::make_shared<CalibrationCall>(context, tracker, std::move(begin));
  call->self_ = call;
  call->Open();
  return call.get();
}

void CalibrationCall::Open() {
  absl::Status open = admission();
  if (open.ok() && begin_ == nullptr) {
    open = absl::PermissionDeniedError(
        "calibration is off: start the server with --allow-calibration");
  }
  if (!open.ok()) {
    LeavesIdle();
    return FinishWith(open);
  }
  Read();
  tracker().AddShutdownListener(shared_from_this());
}

bool CalibrationCall::LeavesIdle() {
  MutexLock lock(&mu_);
  return std::exchange(is_idle_, false);
}

void CalibrationCall::Read() {
  upload_ = AwaitedUpload(&tracker().uploads(), *context_, request_id());
  StartRead(&request_);
}

void CalibrationCall::Write(v1::CalibrateLayerWeightsResponse response) {
  response_ = std::move(response);
  StartWrite(&response_);
}

absl::Status CalibrationCall::BeginWith(const absl::Status& first) {
  RETURN_IF_ERROR(first);
  if (!request_.message.has_settings()) {
    return absl::InvalidArgumentError(
        "settings: missing; they are the first message");
  }
  // A thread may read into request_ as soon as there is one.
  const v1::CalibrationSettings settings =
      std::move(*request_.message.mutable_settings());
  return begin_(*this, settings);
}

void CalibrationCall::OnReadDone(bool ok) {
  const absl::Status held = upload_.Came(ok ? request_.bytes : 0);
  if (!has_begun_) {
    has_begun_ = true;
    if (!LeavesIdle()) return;  // the server drains
    const absl::Status begun =
        BeginWith(!held.ok() ? held
                  : ok       ? request_.parsed
                             : absl::InvalidArgumentError(
                                   "settings: the stream ended before they came"));
    if (!begun.ok()) FinishWith(begun);
    return;  // another thread's from here on
  }
  if (!held.ok()) return events_->End(held);
  if (!ok) return events_->Put(CallerIsDone());
  // What follows a message that is none may not be all that there was.
  if (!request_.parsed.ok()) return events_->End(request_.parsed);
  events_->Put(std::move(request_.message));
}

void CalibrationCall::OnClose() {
  if (LeavesIdle()) FinishWith(tracker().CheckOpen());
}

void CalibrationCall::OnCancel() {
  events_->End(absl::CancelledError("the caller cancelled the calibration"));
}

// No push-back: a stream that has been read from cannot be sent again.
void CalibrationCall::Send(const absl::Status& status,
                           std::optional<int64_t> /*retry_after_ms*/) {
  context_->AddTrailingMetadata(kRequestIdKey, request_id());
  send_ticket_ = tracker().BeginSend(context_->c_call(), request_id());
  Finish(ToGrpcStatus(status));
}

void CalibrationCall::OnDone() {
  // The last owner may be a drain that is being told.
  const std::shared_ptr<CalibrationCall> self = std::move(self_);
  tracker().Leave(send_ticket_);
}

}  // namespace saliency
