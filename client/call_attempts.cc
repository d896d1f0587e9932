#include "client/call_attempts.h"

#include <utility>

namespace saliency {

void CallAttempts::Begin(std::shared_ptr<grpc::ClientContext> context) {
  bool late = false;
  {
    MutexLock lock(&mu_);
    late = cancelled_;
    context_ = context;
  }
  if (late) context->TryCancel();
}

bool CallAttempts::CancelledBefore(absl::Time time) {
  MutexLock lock(&mu_);
  return mu_.AwaitWithDeadline(absl::Condition(&cancelled_), time);
}

void CallAttempts::Cancel() {
  std::shared_ptr<grpc::ClientContext> context;
  {
    MutexLock lock(&mu_);
    cancelled_ = true;
    context = context_;
  }
  if (context != nullptr) context->TryCancel();
}

}  // namespace saliency
