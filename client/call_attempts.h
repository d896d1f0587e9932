// One call that is asked several times, with waits in between: what the
// attempts share, so that a single cancellation ends whichever is under way.
// Used by one thread, but for Cancel.

#ifndef SALIENCY_CLIENT_CALL_ATTEMPTS_H_
#define SALIENCY_CLIENT_CALL_ATTEMPTS_H_

#include <memory>

#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "grpcpp/client_context.h"

namespace saliency {

class CallAttempts {
 public:
  // Makes `context` the one that Cancel ends; ends it at once when all is
  // cancelled already.  Before the call on it is started.
  void Begin(std::shared_ptr<grpc::ClientContext> context)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Returns whether all was cancelled before `time` came.
  bool CancelledBefore(absl::Time time) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the attempt, or the wait, that is under way and those to come.  From
  // any thread.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CALL_ATTEMPTS_H_
