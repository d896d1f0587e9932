// A service whose every method is served as a stream, unary ones too: on the
// wire they are the same.  gRPC reads the body of a unary call before anybody
// is asked; of a stream it reads what the handler asks for.  So a call is
// turned away by its token, or for want of room, before its body is taken, and
// a body that does not come is seen.
// Thread-safe once constructed.

#ifndef SALIENCY_SERVER_TRANSPORT_STREAMED_SERVICE_H_
#define SALIENCY_SERVER_TRANSPORT_STREAMED_SERVICE_H_

#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "grpcpp/impl/codegen/server_callback_handlers.h"
#include "grpcpp/impl/rpc_service_method.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "server/transport/incoming.h"

namespace saliency {

template <typename Request, typename Response>
using StreamReactor = grpc::ServerBidiReactor<Incoming<Request>, Response>;

class StreamedService : public grpc::Service {
 protected:
  // `service` is the full name of the proto's service.
  explicit StreamedService(std::string service)
      : service_(std::move(service)) {}

  // Serves one of its methods.  `start` makes what takes a call, on any thread;
  // it does not block, and does not throw.
  template <typename Request, typename Response>
  void Serve(const std::string& method,
             std::function<StreamReactor<Request, Response>*(
                 grpc::CallbackServerContext*)>
                 start) {
    paths_.push_back("/" + service_ + "/" + method);
    // As generated code does it; the path is not copied.
    AddMethod(new grpc::internal::RpcServiceMethod(
        paths_.back().c_str(), grpc::internal::RpcMethod::BIDI_STREAMING,
        nullptr));
    MarkMethodCallback(
        static_cast<int>(paths_.size()) - 1,
        new grpc::internal::CallbackBidiHandler<Incoming<Request>, Response>(
            std::move(start)));
  }

 private:
  const std::string service_;
  std::deque<std::string> paths_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_STREAMED_SERVICE_H_
