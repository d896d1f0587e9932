// Knows every call in progress: lets it in or turns it away while draining, and
// when it is answered counts it, times it and writes its line in the log.
// Thread-safe.

#ifndef SALIENCY_SERVER_CALL_DESK_H_
#define SALIENCY_SERVER_CALL_DESK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "server/log.h"
#include "server/metrics.h"

namespace saliency {

class CallDesk {
 public:
  // All three outlive this.
  CallDesk(Clock& clock, Metrics& metrics, Log& log)
      : clock_(clock), metrics_(metrics), log_(log) {}

  Clock& clock() { return clock_; }
  Log& log() { return log_; }

  // A call arrived; OK, or UNAVAILABLE while draining.  Either way Leave
  // follows.
  absl::Status Enter() ABSL_LOCKS_EXCLUDED(mu_);
  // Its answer is on its way to the caller: counts and logs it.
  void Answered(const CallRecord& record, const std::string& request_id,
                int64_t rows);
  // Its answer has left, or its caller has.
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);

  // From now on Enter refuses.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until no call is in progress; returns whether that came in time.
  bool AwaitEmpty(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  bool Empty() const SALIENCY_PREDICATE ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return in_progress_ == 0;
  }

  Clock& clock_;
  Metrics& metrics_;
  Log& log_;
  Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t in_progress_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALL_DESK_H_
