// One unary call from arrival to answer.  Every unary handler makes one.
// Thread-safe where gRPC needs it: OnCancel may come at any time; the rest as
// PendingCall.

#ifndef SALIENCY_SERVER_TRANSPORT_UNARY_CALL_H_
#define SALIENCY_SERVER_TRANSPORT_UNARY_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/server_context.h"
#include "server/convert/public_status.h"
#include "server/transport/call_tracker.h"
#include "server/transport/one_request.h"
#include "server/transport/pending_call.h"
#include "server/transport/request_id.h"

namespace saliency {

template <typename Request, typename Response>
class UnaryCall final : public OneRequestReactor<Request, Response>,
                        public PendingCall {
 public:
  // Has the request answered: fills the response, which lives as long as the
  // call, and finishes the call, once, on any thread.  The request goes when
  // this returns.
  using AnswerRequest = std::function<void(
      PendingCall& call, const Request& request, Response* response)>;

  // Reads the request unless the tracker does not let the call in.  Deletes
  // itself when gRPC is done with it.  `tracker` outlives it, and what `answer`
  // refers to.
  UnaryCall(grpc::CallbackServerContext* context, CallTracker& tracker,
            absl::string_view rpc, AnswerRequest answer)
      : PendingCall(tracker,
                    {.rpc = std::string(rpc),
                     .request_id = RequestIdFrom(context->client_metadata()),
                     .caller = tracker.CallerOf(*context),
                     .deadline = DeadlineOf(*context),
                     .admission = tracker.Enter(*context),
                     .request = {.type = Request::descriptor()}}),
        context_(context),
        answer_(std::move(answer)) {
    if (admission().ok()) {
      this->ReadRequest(*context, tracker.request_watches(), request_id());
    } else {
      FinishWith(admission());
    }
  }

 private:
  ~UnaryCall() override = default;

  void OnRequest(std::unique_ptr<Request> request) override {
    // This may go before the answering function returns.
    const AnswerRequest answer = std::move(answer_);
    answer(*this, *request, &response_);
  }
  void OnNoRequest(const absl::Status& why) override { FinishWith(why); }

  // Trailing metadata, then gRPC's Finish.
  void Send(const absl::Status& status,
            std::optional<int64_t> retry_after_ms) override {
    AddTrailingMetadata(retry_after_ms, *context_);
    send_ticket_ = tracker().BeginSend(context_->c_call(), request_id());
    if (!status.ok()) return this->Finish(ToGrpcStatus(status));
    this->StartWriteAndFinish(&response_, grpc::WriteOptions(),
                              grpc::Status::OK);
  }
  void OnCancel() override { cancel_token()->Cancel(); }
  void OnDone() override {
    tracker().Leave(send_ticket_);
    delete this;
  }

  grpc::CallbackServerContext* const context_;
  AnswerRequest answer_;
  Response response_;
  int64_t send_ticket_ = 0;  // set before Finish
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_UNARY_CALL_H_
