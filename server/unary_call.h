// One unary call from arrival to answer: its id, its deadline, its cancel
// token, and the one way to finish it.  Every handler makes one.
// Thread-safe where gRPC needs it: OnCancel may come at any time; Finish is
// called once, on any thread; nothing is touched after it.

#ifndef SALIENCY_SERVER_UNARY_CALL_H_
#define SALIENCY_SERVER_UNARY_CALL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/cancel_token.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "server/call_desk.h"

namespace saliency {

class UnaryCall : public grpc::ServerUnaryReactor {
 public:
  // Deletes itself when gRPC is done with it.  `desk` outlives it.
  UnaryCall(grpc::CallbackServerContext* context, CallDesk& desk,
            absl::string_view rpc);

  // Not OK: the call is refused (no token, draining) and must be finished with
  // this.
  const absl::Status& admission() const { return admission_; }
  const std::string& request_id() const { return request_id_; }
  Log& log() { return desk_.log(); }
  absl::Time deadline() const { return deadline_; }
  const std::shared_ptr<CancelToken>& cancel_token() const { return cancel_; }

  // For the metrics' labels and the log, once the model is known to exist.
  void SetModel(absl::string_view model, int64_t version);

  // Answers: trailing metadata, count, log line, then gRPC's Finish.
  // `rows` is the work that the answer holds.
  void FinishWith(const absl::Status& status, int64_t rows = 0);

 private:
  ~UnaryCall() override = default;
  void OnCancel() override { cancel_->Cancel(); }
  void OnDone() override;

  grpc::CallbackServerContext* const context_;
  CallDesk& desk_;
  const absl::Time arrival_;
  const std::string request_id_;
  const absl::Time deadline_;
  const absl::Status admission_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  CallRecord record_;
  int64_t send_ticket_ = 0;  // set before Finish
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_UNARY_CALL_H_
