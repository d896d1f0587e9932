// Prometheus metrics of calls and model loads; those of the engine are in
// engine_reporter.h, gauges in live_gauges.h.  Labels carry names of models,
// rpcs and codes, never what a caller can invent.
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_METRICS_H_
#define SALIENCY_SERVER_TELEMETRY_METRICS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace saliency {

// One answered call.
struct CallRecord {
  std::string rpc;
  std::string model = "unknown";    // of a model that exists, or "unknown"
  std::string version = "unknown";  // its number, or "unknown"
  absl::Status status;              // as the caller sees it
  absl::string_view refusal;        // RefusalReason; empty: not refused
  absl::Duration duration;
};

// What a request waited for its batch, by model.  ObserveModelLoad makes a
// model's series, EngineReporter fills it.
prometheus::Family<prometheus::Histogram>& QueueDuration(
    prometheus::Registry& registry);

class Metrics {
 public:
  Metrics();

  // What an exposer serves.
  const std::shared_ptr<prometheus::Registry>& registry() const {
    return registry_;
  }

  void CountCall(const CallRecord& call);
  void ObserveModelLoad(const std::string& model, absl::Duration took);

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Counter>& refused_;
  prometheus::Family<prometheus::Histogram>& request_duration_;
  prometheus::Family<prometheus::Histogram>& load_duration_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_METRICS_H_
