// A question on its way from arrival to answer, however it came: its id, its
// deadline, its cancel token, and the one way to answer it.  A unary call is
// one (unary_call.h), a stream brings many (stream_item.h).
// Thread-compatible, but for FinishWith: called once, on any thread; nothing is
// touched after it.

#ifndef SALIENCY_SERVER_TRANSPORT_PENDING_CALL_H_
#define SALIENCY_SERVER_TRANSPORT_PENDING_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/cancel_token.h"
#include "core/engine/job.h"
#include "grpcpp/server_context.h"
#include "server/convert/status_details.h"
#include "server/transport/call_tracker.h"

namespace saliency {

class PendingCall {
 public:
  // How it came in.
  struct Arrival {
    std::string rpc;  // for the metrics' labels: ours, never the caller's
    std::string request_id;
    std::string caller;  // CallTracker::CallerOf
    absl::Time deadline = absl::InfiniteFuture();
    // Not OK: it is refused (no token, draining) and must be finished with
    // this.
    absl::Status admission;
    RequestShape request;  // for the paths of fields in details
    std::shared_ptr<CancelToken> cancel = std::make_shared<CancelToken>();
    // Where to tell how far it is; null: its caller does not want to know.
    std::function<void(const SampleProgress& progress)> on_progress;
  };

  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  const absl::Status& admission() const { return arrival_.admission; }
  const std::string& request_id() const { return arrival_.request_id; }
  const std::string& caller() const { return arrival_.caller; }
  absl::Time deadline() const { return arrival_.deadline; }
  const std::shared_ptr<CancelToken>& cancel_token() const {
    return arrival_.cancel;
  }
  const std::function<void(const SampleProgress&)>& on_progress() const {
    return arrival_.on_progress;
  }
  Log& log() { return tracker_.log(); }

  // For the metrics' labels and the log, once the model is known to exist.
  void SetModel(absl::string_view model, int64_t version);

  // Keeps what stands for the answer's memory until the answer has left.
  void Hold(std::shared_ptr<void> hold) { hold_ = std::move(hold); }

  // Counts, writes the line in the log, and sends the answer.  `rows` is the
  // work that it holds.  CANCELLED by a caller whose time was up becomes
  // DEADLINE_EXCEEDED.  May delete this.
  void FinishWith(const absl::Status& ending, int64_t rows = 0);

 protected:
  // `tracker` outlives this.
  PendingCall(CallTracker& tracker, Arrival arrival);
  virtual ~PendingCall() = default;

  CallTracker& tracker() const { return tracker_; }
  std::shared_ptr<void> TakeHold() { return std::move(hold_); }
  // Of the call that this is, before its end: the request's id and, where it is
  // due, the push-back.
  void AddTrailingMetadata(std::optional<int64_t> retry_after_ms,
                           grpc::CallbackServerContext& context) const;

 private:
  // `status` is fit for callers and has its details; `retry_after_ms` is set
  // where push-back is due (RetryPushbackMs).
  virtual void Send(const absl::Status& status,
                    std::optional<int64_t> retry_after_ms) = 0;

  CallTracker& tracker_;
  const Arrival arrival_;
  const absl::Time arrived_at_;
  CallRecord record_;
  std::shared_ptr<void> hold_;
};

// When the caller stops waiting; never: InfiniteFuture.
absl::Time DeadlineOf(const grpc::CallbackServerContext& context);

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_PENDING_CALL_H_
