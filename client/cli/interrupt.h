// Ends a command early: raised by Ctrl-C or a test.
// Thread-safe.

#ifndef SALIENCY_CLIENT_CLI_INTERRUPT_H_
#define SALIENCY_CLIENT_CLI_INTERRUPT_H_

#include <memory>
#include <vector>

#include "core/base/cancel_token.h"
#include "core/base/mutex.h"

namespace saliency {

class Interrupt {
 public:
  // Cancels all tokens, those handed out later included.  Idempotent.
  void Raise() ABSL_LOCKS_EXCLUDED(mu_);

  bool raised() const ABSL_LOCKS_EXCLUDED(mu_);

  // For the calls of one thread, one after another.
  std::shared_ptr<CancelToken> NewToken() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;
  bool raised_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::weak_ptr<CancelToken>> tokens_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_INTERRUPT_H_
