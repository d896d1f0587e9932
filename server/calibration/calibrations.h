// The calibrations under way: at most one of each version, each on a thread of
// its own.
// Thread-safe.

#ifndef SALIENCY_SERVER_CALIBRATION_CALIBRATIONS_H_
#define SALIENCY_SERVER_CALIBRATION_CALIBRATIONS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "core/engine/model_table.h"
#include "core/engine/run/worker_threads.h"
#include "saliency/v1/model_service.pb.h"
#include "server/calibration/calibration_call.h"
#include "server/calibration/calibration_plan.h"
#include "server/calibration/calibration_run.h"
#include "server/calibration/event_queue.h"

namespace saliency {

class Calibrations {
 public:
  // `models` outlives this.
  Calibrations(const ModelTable& models, CalibrationTools tools)
      : models_(models), tools_(std::move(tools)) {}
  // Ends them all, and waits for them.
  ~Calibrations() { Close(); }

  // Begins to calibrate; `call` is finished on another thread.
  // Errors: as ModelTable::FindReady and PlanCalibration; ABORTED one of
  //   this version is under way; UNAVAILABLE after Close.
  absl::Status Begin(CalibrationCall& call,
                     const v1::CalibrationSettings& settings)
      ABSL_LOCKS_EXCLUDED(mu_);

  // The server drains: those under way end with UNAVAILABLE at their next step
  // and store nothing.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Key = std::pair<std::string, int64_t>;  // model, version

  absl::Status Enter(const Key& key, const std::shared_ptr<EventQueue>& events)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Leave(const Key& key) ABSL_LOCKS_EXCLUDED(mu_);
  void Run(CalibrationCall& call, CalibrationPlan plan);

  const ModelTable& models_;
  const CalibrationTools tools_;
  Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<Key, std::shared_ptr<EventQueue>> running_ ABSL_GUARDED_BY(mu_);
  WorkerThreads threads_;  // last: use all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_CALIBRATIONS_H_
