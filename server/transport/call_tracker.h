// Knows every call in progress: lets it in, or turns it away by its token or
// while draining; when it is answered counts it, times it, writes its line in
// the log, and sees to it that the answer leaves.
// Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_CALL_TRACKER_H_
#define SALIENCY_SERVER_TRANSPORT_CALL_TRACKER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "grpcpp/server_context.h"
#include "server/security/token_file.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/transport/one_request.h"
#include "server/transport/stall_watch.h"
#include "server/transport/upload_watch.h"

namespace saliency {

// A call that goes on until it hears that the server is about to stop.
class CloseListener {
 public:
  virtual ~CloseListener() = default;
  virtual void OnClose() = 0;
};

class CallTracker {
 public:
  struct Options {
    const TokenFile* tokens = nullptr;  // null: everybody may come in
    absl::Duration send_timeout;     // for an answer to leave; zero: for ever
    absl::Duration receive_timeout;  // for a request to come; zero: for ever
    int max_calls = 4096;            // in progress, streams included; >= 1
    // That may be held of requests that have not come whole.
    int64_t upload_bytes = UploadWatch::Options().bytes;
    // Knows the connections; null: bytes of one are not bounded.
    const ConnectionLedger* ledger = nullptr;
  };

  // All references, the tokens and the ledger outlive this.
  CallTracker(Clock& clock, Metrics& metrics, Log& log, const Options& options);
  CallTracker(Clock& clock, Metrics& metrics, Log& log)
      : CallTracker(clock, metrics, log, Options()) {}

  Clock& clock() { return clock_; }
  Log& log() { return log_; }

  // A call arrived; OK, UNAUTHENTICATED for what its token is worth,
  // UNAVAILABLE while draining, or RESOURCE_EXHAUSTED when there are too many.
  // In any case Leave follows.
  absl::Status Enter(const grpc::ServerContextBase& context)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Who is calling, for whom turns and shares are counted: a token where there
  // are tokens, else a connection.
  std::string CallerOf(const grpc::ServerContextBase& context) const;
  // Its answer is on its way to the caller: counts and logs it.
  void Answered(const CallRecord& record, const std::string& request_id,
                int64_t rows);
  // Bound how requests come.
  RequestWatches request_watches() { return {receives_.get(), &uploads_}; }
  UploadWatch& uploads() { return uploads_; }
  // The answer is about to leave; the ticket is for EndSend or Leave.
  int64_t BeginSend(grpc_call* call, const std::string& request_id);
  // That answer of several has left.
  void EndSend(int64_t send_ticket);
  // Its (last) answer has left, or its caller has.  0: no answer was sent.
  void Leave(int64_t send_ticket) ABSL_LOCKS_EXCLUDED(mu_);

  // Whether Close has been called is told to `listener` once, on any thread, at
  // once when it has; to nobody who has gone by then.
  void AddShutdownListener(const std::shared_ptr<CloseListener>& listener)
      ABSL_LOCKS_EXCLUDED(mu_);
  // OK, or what Enter says of a call that comes after Close.
  absl::Status CheckOpen() const ABSL_LOCKS_EXCLUDED(mu_);
  // From now on Enter refuses.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until no call is in progress; returns whether that came in time.
  bool AwaitEmpty(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  bool Empty() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return in_progress_ == 0;
  }

  Clock& clock_;
  Metrics& metrics_;
  Log& log_;
  const TokenFile* const tokens_;
  const int max_calls_;
  // Null: answers, or requests, have all the time.
  const std::unique_ptr<StallWatch> sends_;
  const std::unique_ptr<StallWatch> receives_;
  UploadWatch uploads_;
  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t in_progress_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::weak_ptr<CloseListener>> listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_CALL_TRACKER_H_
