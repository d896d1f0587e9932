// Gauges that are read when Prometheus asks: what the engine holds and where
// each model stands.
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_LIVE_GAUGES_H_
#define SALIENCY_SERVER_TELEMETRY_LIVE_GAUGES_H_

#include <functional>
#include <vector>

#include "core/engine/engine.h"
#include "core/engine/model_table.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace saliency {

// saliency_queue_depth, saliency_queue_bytes, saliency_in_flight;
// saliency_device_memory_bytes{device,kind} of the CPU and of every device that
// a model runs on; and saliency_model_state{model,version,state}: 1 for the
// state a version is in, 0 for the others.
class LiveGauges : public prometheus::Collectable {
 public:
  // `models` and what `load` refers to outlive this.
  LiveGauges(std::function<EngineLoad()> load, const ModelTable& models)
      : load_(std::move(load)), models_(models) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::function<EngineLoad()> load_;
  const ModelTable& models_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_LIVE_GAUGES_H_
