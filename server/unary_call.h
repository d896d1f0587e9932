// One unary call from arrival to answer.  Every unary handler makes one.
// Thread-safe where gRPC needs it: OnCancel may come at any time; the rest as
// PendingCall.

#ifndef SALIENCY_SERVER_UNARY_CALL_H_
#define SALIENCY_SERVER_UNARY_CALL_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "server/call_desk.h"
#include "server/pending_call.h"

namespace saliency {

class UnaryCall : public grpc::ServerUnaryReactor, public PendingCall {
 public:
  // Deletes itself when gRPC is done with it.  `desk` outlives it.
  UnaryCall(grpc::CallbackServerContext* context, CallDesk& desk,
            absl::string_view rpc);

 private:
  ~UnaryCall() override = default;
  // Trailing metadata, then gRPC's Finish.
  void Send(const absl::Status& status,
            std::optional<int64_t> retry_after_ms) override;
  void OnCancel() override { cancel_token()->Cancel(); }
  void OnDone() override;

  grpc::CallbackServerContext* const context_;
  int64_t send_ticket_ = 0;  // set before Finish
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_UNARY_CALL_H_
