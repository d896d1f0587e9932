#include "server/telemetry/metrics.h"

#include "prometheus/gauge.h"
#include "server/telemetry/metric_buckets.h"
#include "server/version.h"

namespace saliency {
namespace {

// What RefusalReason answers.
constexpr const char* kReasons[] = {
    "calls_full",   "draining",       "failed",    "loading",
    "queue_full",   "studies_full",   "too_large", "unavailable",
    "uploads_full", "unauthenticated"};

}  // namespace

prometheus::Family<prometheus::Histogram>& QueueDuration(
    prometheus::Registry& registry) {
  return prometheus::BuildHistogram()
      .Name("saliency_queue_duration_seconds")
      .Help("What a request waited for its batch.")
      .Register(registry);
}

Metrics::Metrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      requests_(prometheus::BuildCounter()
                    .Name("saliency_requests_total")
                    .Help("Calls answered, by gRPC code.")
                    .Register(*registry_)),
      refused_(prometheus::BuildCounter()
                   .Name("saliency_refused_total")
                   .Help("Calls turned away without work, by reason.")
                   .Register(*registry_)),
      request_duration_(prometheus::BuildHistogram()
                            .Name("saliency_request_duration_seconds")
                            .Help("From a call's arrival to its answer.")
                            .Register(*registry_)),
      load_duration_(prometheus::BuildHistogram()
                         .Name("saliency_model_load_duration_seconds")
                         .Help("Loading and warming up of one version.")
                         .Register(*registry_)) {
  prometheus::BuildGauge()
      .Name("saliency_build_info")
      .Help("What was built; always 1.")
      .Register(*registry_)
      .Add({{"version", Version()}, {"torch", TorchVersion()}})
      .Set(1);
  // A counter that starts at its first event hides that event from rate().
  for (const char* reason : kReasons) refused_.Add({{"reason", reason}});
}

void Metrics::CountCall(const CallRecord& call) {
  requests_
      .Add({{"rpc", call.rpc},
            {"model", call.model},
            {"version", call.version},
            {"code", absl::StatusCodeToString(call.status.code())}})
      .Increment();
  request_duration_
      .Add({{"rpc", call.rpc}, {"model", call.model}}, SecondsBuckets())
      .Observe(absl::ToDoubleSeconds(call.duration));
  if (!call.refusal.empty()) {
    refused_.Add({{"reason", std::string(call.refusal)}}).Increment();
  }
}

void Metrics::ObserveModelLoad(const std::string& model, absl::Duration took) {
  load_duration_.Add({{"model", model}}, SecondsBuckets())
      .Observe(absl::ToDoubleSeconds(took));
  // The autoscaler reads 0, not nothing, before the first request.
  QueueDuration(*registry_).Add({{"model", model}}, SecondsBuckets());
}

}  // namespace saliency
