// Ends calls whose callers do not take their answers: such an answer, of up to
// hundreds of megabytes, would lie in memory for as long as the caller likes.
// Thread-safe.

#ifndef SALIENCY_SERVER_SEND_WATCH_H_
#define SALIENCY_SERVER_SEND_WATCH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "grpc/grpc.h"
#include "server/log.h"

namespace saliency {

class SendWatch {
 public:
  // An answer may take `timeout`, which is positive, to leave.  `clock` and
  // `log` outlive this.
  SendWatch(Clock& clock, Log& log, absl::Duration timeout);
  ~SendWatch();
  SendWatch(const SendWatch&) = delete;
  SendWatch& operator=(const SendWatch&) = delete;

  // The answer of `call` is about to leave; returns the name of this for End.
  int64_t Begin(grpc_call* call, const std::string& request_id)
      ABSL_LOCKS_EXCLUDED(mu_);
  // It has left, or its caller has.
  void End(int64_t ticket) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Unref {
    void operator()(grpc_call* call) const { grpc_call_unref(call); }
  };
  // Holds the call itself: its context may go while it is being cancelled.
  struct Sending {
    std::unique_ptr<grpc_call, Unref> call;
    std::string request_id;
    absl::Time deadline;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  void Cancel(const Sending& sending);

  Clock& clock_;
  Log& log_;
  const absl::Duration timeout_;
  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int64_t last_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  // By ticket, hence by deadline too.
  std::map<int64_t, Sending> sending_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SEND_WATCH_H_
