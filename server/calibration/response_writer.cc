#include "server/calibration/response_writer.h"

#include <utility>

#include "server/calibration/calibration_plan.h"

namespace saliency {
namespace {

constexpr absl::Duration kProgressEvery = absl::Milliseconds(200);

}  // namespace

void ResponseWriter::Write(v1::CalibrateLayerWeightsResponse message) {
  if (is_speaking_) {
    waiting_.push_back(std::move(message));
    return;
  }
  is_speaking_ = true;
  call_.Write(std::move(message));
}

void ResponseWriter::WriteProgress(v1::CalibrationProgress::Phase phase,
                                   int64_t done, int64_t total) {
  const absl::Time now = clock_.Now();
  if (is_speaking_ || now - last_progress_ < kProgressEvery) return;
  last_progress_ = now;
  Write(ProgressMessage(phase, done, total));
}

void ResponseWriter::Left() {
  is_speaking_ = false;
  if (waiting_.empty()) return;
  v1::CalibrateLayerWeightsResponse next = std::move(waiting_.front());
  waiting_.pop_front();
  Write(std::move(next));
}

}  // namespace saliency
