// The messages of a calibration on their way to its caller: one leaves at a
// time, and progress is left out where the caller does not keep up.
// Thread-compatible: the calibration's thread.

#ifndef SALIENCY_SERVER_CALIBRATION_RESPONSE_WRITER_H_
#define SALIENCY_SERVER_CALIBRATION_RESPONSE_WRITER_H_

#include <cstdint>
#include <deque>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "saliency/v1/model_service.pb.h"
#include "server/calibration/calibration_call.h"

namespace saliency {

class ResponseWriter {
 public:
  // Both outlive this.
  ResponseWriter(CalibrationCall& call, Clock& clock)
      : call_(call), clock_(clock) {}

  // Sends the message when those before it have left.
  void Write(v1::CalibrateLayerWeightsResponse message);
  // Now and then, unless something else is on its way.
  void WriteProgress(v1::CalibrationProgress::Phase phase, int64_t done,
                     int64_t total);
  // The message on its way has left (MessageLeft); sends the next.
  void Left();
  // Forgets what has not begun to leave.
  void DiscardPending() { waiting_.clear(); }

  bool is_speaking() const { return is_speaking_; }
  int waiting() const { return static_cast<int>(waiting_.size()); }

 private:
  CalibrationCall& call_;
  Clock& clock_;
  std::deque<v1::CalibrateLayerWeightsResponse> waiting_;
  bool is_speaking_ = false;
  absl::Time last_progress_ = absl::InfinitePast();
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_RESPONSE_WRITER_H_
