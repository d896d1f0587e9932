// What the engine tells of itself, as Prometheus metrics and log lines.
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_ENGINE_REPORTER_H_
#define SALIENCY_SERVER_TELEMETRY_ENGINE_REPORTER_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/engine/engine_observer.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/telemetry/log.h"

namespace saliency {

class EngineReporter : public EngineObserver {
 public:
  // `registry` and `log` outlive this.  `on_device_lost` runs, on any thread,
  // each time the engine loses a device.
  EngineReporter(prometheus::Registry& registry, Log& log,
                 std::function<void()> on_device_lost);

  void OnBatch(absl::string_view model, int requests, int rows) override;
  void OnQueued(absl::string_view model, absl::Duration waited) override;
  void OnStage(absl::string_view stage, absl::Duration took) override;
  void OnRows(absl::string_view model, absl::string_view method,
              int64_t rows) override;
  void OnExpired(absl::string_view stage) override;
  void OnCancelled(absl::string_view stage) override;
  void OnOutOfMemory(absl::string_view outcome) override;
  void OnDeviceLost(absl::string_view device) override;
  void OnFault(absl::string_view request_id, absl::string_view detail) override;

 private:
  using Counters = prometheus::Family<prometheus::Counter>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  Log& log_;
  const std::function<void()> on_device_lost_;
  Counters& rows_;
  Counters& cancelled_;
  Counters& expired_;
  Counters& out_of_memory_;
  Histograms& queue_duration_;
  Histograms& stage_duration_;
  Histograms& batch_rows_;
  Histograms& batch_requests_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_ENGINE_REPORTER_H_
