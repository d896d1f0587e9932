// One CalibrateLayerWeights call: takes the settings on gRPC's thread, then
// carries messages between the caller and the thread that calibrates.
// Thread-safe where gRPC needs it; Read, Write, Abort and FinishWith belong to
// the calibration's thread once it has begun.

#ifndef SALIENCY_SERVER_CALIBRATION_CALIBRATION_CALL_H_
#define SALIENCY_SERVER_CALIBRATION_CALIBRATION_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "saliency/v1/model_service.pb.h"
#include "server/calibration/event_queue.h"
#include "server/transport/call_tracker.h"
#include "server/transport/pending_call.h"
#include "server/transport/streamed_service.h"

namespace saliency {

class CalibrationCall : public StreamReactor<v1::CalibrateLayerWeightsRequest,
                                             v1::CalibrateLayerWeightsResponse>,
                        public PendingCall,
                        public CloseListener,
                        public std::enable_shared_from_this<CalibrationCall> {
 public:
  // Begins a calibration, which finishes the call.  Errors: it has not begun,
  // and the call is finished with this.
  using Begin = std::function<absl::Status(CalibrationCall& call,
                                           const v1::CalibrationSettings&)>;

  // The call deletes itself when gRPC is done with it.  `tracker` and what
  // `begin` refers to outlive it.  A null `begin` refuses: PERMISSION_DENIED.
  // When the server drains before the settings have come, it ends with
  // UNAVAILABLE; one that has begun is its calibration's to end.
  static CalibrationCall* Start(grpc::CallbackServerContext* context,
                                CallTracker& tracker, Begin begin);

  CalibrationCall(grpc::CallbackServerContext* context, CallTracker& tracker,
                  Begin begin);

  // What comes of Read and Write, and the end of the call, is put there.
  const std::shared_ptr<EventQueue>& events() const { return events_; }
  // Asks for the next message.  REQUIRES: the one before has come.
  void Read();
  // REQUIRES: the one before has left.
  void Write(v1::CalibrateLayerWeightsResponse response);
  // Gives up on a caller that does not take its messages.
  void Abort() { context_->TryCancel(); }

 private:
  // REQUIRES: no message is on its way out.
  void Send(const absl::Status& status,
            std::optional<int64_t> retry_after_ms) override;
  // What the call begins with: OK when a message is there.
  absl::Status BeginWith(const absl::Status& first);
  // Reads the settings, or finishes a call that may not begin.
  void Open() ABSL_LOCKS_EXCLUDED(mu_);
  // Whether this is the one who may begin or end a call that has done neither.
  bool LeavesIdle() ABSL_LOCKS_EXCLUDED(mu_);
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnClose() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override { events_->Put(MessageLeft{.ok = ok}); }
  void OnCancel() override;
  void OnDone() override;

  grpc::CallbackServerContext* const context_;
  const Begin begin_;
  const std::shared_ptr<EventQueue> events_ = std::make_shared<EventQueue>();
  std::shared_ptr<CalibrationCall> self_;  // set once, moved out by OnDone
  // Of one read and one write at a time.
  bool has_begun_ = false;
  Incoming<v1::CalibrateLayerWeightsRequest> request_;
  AwaitedUpload upload_;
  v1::CalibrateLayerWeightsResponse response_;
  int64_t send_ticket_ = 0;  // set before Finish

  Mutex mu_;
  bool is_idle_ ABSL_GUARDED_BY(mu_) = true;  // nothing has come, nor the end
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_CALIBRATION_CALL_H_
