#include "server/transport/one_request.h"

#include "absl/time/clock.h"
#include "server/transport/pending_call.h"

namespace saliency {

absl::Status NoRequestError(const grpc::CallbackServerContext& context,
                            bool in_time) {
  if (!in_time || DeadlineOf(context) <= absl::Now()) {
    return absl::DeadlineExceededError("the request did not come in time");
  }
  if (context.IsCancelled()) {
    return absl::CancelledError(
        "the caller has gone, or its request is too large or compressed");
  }
  return absl::InvalidArgumentError("the call ended without a request");
}

}  // namespace saliency
