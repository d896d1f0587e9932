#include "server/telemetry/engine_reporter.h"

#include <utility>

#include "server/telemetry/metric_buckets.h"
#include "server/telemetry/metrics.h"

namespace saliency {
namespace {

// What OnExpired, OnCancelled and OnOutOfMemory are called with.
constexpr const char* kStages[] = {"admission", "decode", "queue", "pass",
                                   "render"};
constexpr const char* kOutcomes[] = {"retried", "refused"};

prometheus::Family<prometheus::Counter>& CounterFamily(
    prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Histogram>& HistogramFamily(
    prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

EngineReporter::EngineReporter(prometheus::Registry& registry, Log& log,
                               std::function<void()> on_device_lost)
    : log_(log),
      on_device_lost_(std::move(on_device_lost)),
      rows_(CounterFamily(registry, "saliency_rows_total",
                          "Rows (image x target) attributed, by method.")),
      cancelled_(CounterFamily(registry, "saliency_cancelled_total",
                               "Requests whose caller had gone, by stage.")),
      expired_(CounterFamily(registry, "saliency_expired_total",
                             "Requests whose deadline passed, by stage.")),
      out_of_memory_(CounterFamily(registry, "saliency_oom_total",
                                   "Passes that ran out of device memory.")),
      queue_duration_(QueueDuration(registry)),
      stage_duration_(HistogramFamily(registry,
                                      "saliency_stage_duration_seconds",
                                      "Time spent in each stage.")),
      batch_rows_(HistogramFamily(registry, "saliency_batch_rows",
                                  "Rows of each batch.")),
      batch_requests_(HistogramFamily(registry, "saliency_batch_requests",
                                      "Requests of each batch.")) {
  // A counter that starts at its first event hides that event from rate().
  for (const char* stage : kStages) {
    cancelled_.Add({{"stage", stage}});
    expired_.Add({{"stage", stage}});
  }
  for (const char* outcome : kOutcomes) {
    out_of_memory_.Add({{"outcome", outcome}});
  }
}

void EngineReporter::OnBatch(absl::string_view model, int requests, int rows) {
  const prometheus::Labels labels = {{"model", std::string(model)}};
  batch_requests_.Add(labels, CountBuckets()).Observe(requests);
  batch_rows_.Add(labels, CountBuckets()).Observe(rows);
}

void EngineReporter::OnQueued(absl::string_view model, absl::Duration waited) {
  queue_duration_.Add({{"model", std::string(model)}}, SecondsBuckets())
      .Observe(absl::ToDoubleSeconds(waited));
}

void EngineReporter::OnStage(absl::string_view stage, absl::Duration took) {
  stage_duration_.Add({{"stage", std::string(stage)}}, SecondsBuckets())
      .Observe(absl::ToDoubleSeconds(took));
}

void EngineReporter::OnRows(absl::string_view model, absl::string_view method,
                            int64_t rows) {
  rows_.Add({{"model", std::string(model)}, {"method", std::string(method)}})
      .Increment(static_cast<double>(rows));
}

void EngineReporter::OnExpired(absl::string_view stage) {
  expired_.Add({{"stage", std::string(stage)}}).Increment();
}

void EngineReporter::OnCancelled(absl::string_view stage) {
  cancelled_.Add({{"stage", std::string(stage)}}).Increment();
}

void EngineReporter::OnOutOfMemory(absl::string_view outcome) {
  out_of_memory_.Add({{"outcome", std::string(outcome)}}).Increment();
  log_.Warning("out of device memory", {{"outcome", outcome}});
}

void EngineReporter::OnDeviceLost(absl::string_view device) {
  log_.Error("device lost", {{"device", device}});
  on_device_lost_();
}

void EngineReporter::OnFault(absl::string_view request_id,
                             absl::string_view detail) {
  log_.Error("fault", {{"request_id", request_id}, {"detail", detail}});
}

}  // namespace saliency
