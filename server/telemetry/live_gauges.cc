#include "server/telemetry/live_gauges.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/model/device_memory.h"

namespace saliency {
namespace {

prometheus::MetricFamily Family(const char* name, const char* help) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = prometheus::MetricType::Gauge;
  return family;
}

prometheus::MetricFamily Single(const char* name, const char* help,
                                int64_t value) {
  prometheus::MetricFamily family = Family(name, help);
  family.metric.emplace_back().gauge.value = static_cast<double>(value);
  return family;
}

prometheus::MetricFamily ModelStates(const ModelTable& models) {
  prometheus::MetricFamily family =
      Family("saliency_model_state", "1 for the state a version is in.");
  for (const ModelVersionPtr& version : models.List()) {
    for (const ModelState state :
         {ModelState::kLoading, ModelState::kReady, ModelState::kFailed}) {
      prometheus::ClientMetric& metric = family.metric.emplace_back();
      metric.label = {{"model", version->model},
                      {"version", absl::StrCat(version->version)},
                      {"state", std::string(ModelStateName(state))}};
      metric.gauge.value = version->state == state ? 1 : 0;
    }
  }
  return family;
}

// Of the versions that are ready.
prometheus::MetricFamily SelfChecks(const ModelTable& models, const char* name,
                                    const char* help, bool SelfCheck::*holds) {
  prometheus::MetricFamily family = Family(name, help);
  for (const ModelVersionPtr& version : models.List()) {
    if (version->metadata == nullptr) continue;
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = {{"model", version->model},
                    {"version", absl::StrCat(version->version)}};
    metric.gauge.value = version->metadata->self_check.*holds ? 1 : 0;
  }
  return family;
}

std::set<std::string> DevicesOf(const ModelTable& models) {
  std::set<std::string> devices = {"cpu"};
  for (const ModelVersionPtr& version : models.List()) {
    if (version->metadata == nullptr) continue;
    for (const InstanceConfig& instance : version->metadata->config.instances) {
      devices.insert(instance.device == "cuda" ? "cuda:0" : instance.device);
    }
  }
  return devices;
}

prometheus::MetricFamily Memory(const ModelTable& models) {
  prometheus::MetricFamily family =
      Family("saliency_device_memory_bytes",
             "cpu: resident; a GPU: total, free, reserved by this process, "
             "allocated to tensors.");
  for (const DeviceMemory& memory : MeasureDeviceMemory(DevicesOf(models))) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = {{"device", memory.device}, {"kind", memory.kind}};
    metric.gauge.value = static_cast<double>(memory.bytes);
  }
  return family;
}

}  // namespace

std::vector<prometheus::MetricFamily> LiveGauges::Collect() const {
  const EngineLoad load = load_();
  return {
      Single("saliency_queue_depth",
             "Requests that wait to be decoded, run or rendered.",
             load.queued_items),
      Single("saliency_queue_bytes",
             "Bytes of inputs and of answers that have not left.",
             load.queued_bytes),
      Single("saliency_in_flight", "Requests not yet answered.",
             load.in_flight),
      Memory(models_),
      ModelStates(models_),
      SelfChecks(models_, "saliency_model_rows_independent",
                 "0: the rows of a batch depend on each other; the model is "
                 "run one image at a time.",
                 &SelfCheck::rows_independent),
      SelfChecks(models_, "saliency_model_deterministic",
                 "0: the model answers the same image differently each time.",
                 &SelfCheck::deterministic)};
}

}  // namespace saliency
