// A call whose caller sends one request: reads it and hands it on, or says why
// there is none.  Base of what takes unary and server-streaming calls
// (streamed_service.h).
// Thread-safe where gRPC needs it.

#ifndef SALIENCY_SERVER_TRANSPORT_ONE_REQUEST_H_
#define SALIENCY_SERVER_TRANSPORT_ONE_REQUEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "server/transport/stall_watch.h"
#include "server/transport/streamed_service.h"
#include "server/transport/upload_watch.h"

namespace saliency {

// Who bounds how long a request may take to come, and what may be held of it;
// null: nobody does.
struct RequestWatches {
  StallWatch* stall = nullptr;
  UploadWatch* uploads = nullptr;
};

// How a call ends whose request did not come; `in_time` is what the watch says.
// Errors: always one.  DEADLINE_EXCEEDED it took too long; CANCELLED the caller
//   has gone, or gRPC refused what it sent (too large, compressed);
//   INVALID_ARGUMENT the caller sent none.
absl::Status NoRequestError(const grpc::CallbackServerContext& context,
                            bool in_time);

template <typename Request, typename Response>
class OneRequestReactor : public StreamReactor<Request, Response> {
 protected:
  // Asks for the request, once; `watches` bound it and outlive this.
  void ReadRequest(grpc::CallbackServerContext& context,
                   const RequestWatches& watches,
                   const std::string& request_id) {
    context_ = &context;
    watches_ = watches;
    if (watches_.stall != nullptr) {
      stall_ticket_ = watches_.stall->Begin(context.c_call(), request_id);
    }
    upload_ = AwaitedUpload(watches_.uploads, context, request_id);
    incoming_ = std::make_unique<Incoming<Request>>();
    this->StartRead(incoming_.get());
  }

 private:
  // It came, and is the callee's: what it holds goes as soon as it may.
  virtual void OnRequest(std::unique_ptr<Request> request) = 0;
  // It did not, or is none.
  virtual void OnNoRequest(const absl::Status& why) = 0;

  void OnReadDone(bool ok) final {
    const bool in_time =
        watches_.stall == nullptr || watches_.stall->End(stall_ticket_);
    const std::unique_ptr<Incoming<Request>> incoming = std::move(incoming_);
    const absl::Status held = upload_.Came(ok ? incoming->bytes : 0);
    if (!held.ok()) return OnNoRequest(held);
    if (!ok) return OnNoRequest(NoRequestError(*context_, in_time));
    if (!incoming->parsed.ok()) return OnNoRequest(incoming->parsed);
    OnRequest(std::make_unique<Request>(std::move(incoming->message)));
  }

  grpc::CallbackServerContext* context_ = nullptr;
  RequestWatches watches_;
  int64_t stall_ticket_ = 0;
  AwaitedUpload upload_;
  std::unique_ptr<Incoming<Request>> incoming_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_ONE_REQUEST_H_
