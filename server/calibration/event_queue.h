// What a calibration's thread waits for, whoever it comes from: messages of the
// caller, answers of the engine, the way of its own messages.  gRPC's and the
// engine's threads only put things in.
// Thread-safe.  Shared by all who put things in, which may come late.

#ifndef SALIENCY_SERVER_CALIBRATION_EVENT_QUEUE_H_
#define SALIENCY_SERVER_CALIBRATION_EVENT_QUEUE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/engine/job.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {

struct CallerIsDone {};  // no message follows
struct MessageLeft {
  bool ok = true;  // false: the caller cannot be reached any more
};
struct ImageAnswer {
  int64_t number = 0;
  absl::StatusOr<Explanation> answer;
};
using CalibrationEvent = std::variant<v1::CalibrateLayerWeightsRequest,
                                      CallerIsDone, MessageLeft, ImageAnswer>;

class EventQueue {
 public:
  void Put(CalibrationEvent event) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    events_.push_back(std::move(event));
    has_events_ = true;
  }
  // The calibration is to end with this; the first reason wins.
  // REQUIRES: `why` is not OK.
  void End(absl::Status why) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (is_ended_) return;
    is_ended_ = true;
    end_ = std::move(why);
  }
  // OK until End.
  absl::Status end() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return end_;
  }

  // Waits for the oldest event; none came by `deadline`: nullopt.
  // Errors: what End said, whatever else is there.
  absl::StatusOr<std::optional<CalibrationEvent>> Take(Clock& clock,
                                                       absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    clock.AwaitWithDeadline(
        &mu_, absl::Condition(this, &EventQueue::EventOrEnd), deadline);
    if (is_ended_) return end_;
    return Pop();
  }
  // The same when the end is known.
  std::optional<CalibrationEvent> TakeAfterEnd(Clock& clock,
                                               absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    clock.AwaitWithDeadline(&mu_, absl::Condition(&has_events_), deadline);
    return Pop();
  }

 private:
  bool EventOrEnd() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return is_ended_ || has_events_;
  }
  std::optional<CalibrationEvent> Pop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (events_.empty()) return std::nullopt;
    std::optional<CalibrationEvent> event = std::move(events_.front());
    events_.pop_front();
    has_events_ = !events_.empty();
    return event;
  }

  mutable Mutex mu_;
  bool has_events_ ABSL_GUARDED_BY(mu_) = false;
  bool is_ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  // At most one message, one that left, and what was in the engine.
  std::deque<CalibrationEvent> events_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_EVENT_QUEUE_H_
