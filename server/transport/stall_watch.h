// Ends calls that wait for their callers too long: for an answer of up to
// hundreds of megabytes to be taken, or for a request to come.  What is there
// of either would lie in memory for as long as the caller likes. Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_STALL_WATCH_H_
#define SALIENCY_SERVER_TRANSPORT_STALL_WATCH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "grpc/grpc.h"
#include "server/telemetry/log.h"

namespace saliency {

class StallWatch {
 public:
  struct Options {
    absl::Duration timeout;  // that a call may wait; positive
    std::string what;        // it waits for, for the log and the caller
    grpc_status_code code = GRPC_STATUS_CANCELLED;  // that it ends with
  };

  // `clock` and `log` outlive this.
  StallWatch(Clock& clock, Log& log, Options options);
  ~StallWatch();
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

  // `call` begins to wait; returns the name of this for End, > 0.
  int64_t Begin(grpc_call* call, const std::string& request_id)
      ABSL_LOCKS_EXCLUDED(mu_);
  // It waits no longer; returns whether it was in time.
  bool End(int64_t ticket) ABSL_LOCKS_EXCLUDED(mu_);

  const Options& options() const { return options_; }

 private:
  struct Unref {
    void operator()(grpc_call* call) const { grpc_call_unref(call); }
  };
  // Holds the call itself: its context may go while it is being cancelled.
  struct Waiting {
    std::unique_ptr<grpc_call, Unref> call;
    std::string request_id;
    absl::Time deadline;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  void Cancel(const Waiting& waiting);

  Clock& clock_;
  Log& log_;
  const Options options_;
  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int64_t last_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  // By ticket, hence by deadline too.
  std::map<int64_t, Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_STALL_WATCH_H_
