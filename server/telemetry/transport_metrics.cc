#include "server/telemetry/transport_metrics.h"

#include <utility>

namespace saliency {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

prometheus::MetricFamily FamilyOf(prometheus::MetricType type, const char* name,
                                  const char* help) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

void AddSample(int64_t value, Labels labels, prometheus::MetricFamily& family) {
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  const auto number = static_cast<double>(value);
  if (family.type == prometheus::MetricType::Gauge) {
    metric.gauge.value = number;
  } else {
    metric.counter.value = number;
  }
}

}  // namespace

std::vector<prometheus::MetricFamily> TransportMetrics::Collect() const {
  using prometheus::MetricType;
  prometheus::MetricFamily open = FamilyOf(
      MetricType::Gauge, "saliency_connections", "Connections that are open.");
  prometheus::MetricFamily refused = FamilyOf(
      MetricType::Counter, "saliency_connections_refused_total",
      "Connections hung up on at once, by reason: too many (full), too many of "
      "the peer (peer), no file descriptor left (files).");
  prometheus::MetricFamily reset =
      FamilyOf(MetricType::Counter, "saliency_connections_reset_total",
               "Connections that were reset: they began calls faster than the "
               "calls ended.");
  for (const auto& [port, acceptor] : ports_) {
    const ConnectionCounts counts = acceptor->counts();
    AddSample(counts.open, {{"port", port}}, open);
    AddSample(counts.reset, {{"port", port}}, reset);
    for (const auto& [reason, count] :
         {std::pair<std::string, int64_t>("full", counts.refused_full),
          {"peer", counts.refused_peer},
          {"files", counts.refused_files}}) {
      AddSample(count, {{"port", port}, {"reason", reason}}, refused);
    }
  }
  prometheus::MetricFamily dropped = FamilyOf(
      MetricType::Counter, "saliency_log_dropped_total",
      "Lines of the log that were dropped, by reason: too many a second "
      "(rate), nobody took them from stderr (blocked).");
  const Log::Dropped lines = log_.dropped();
  AddSample(lines.rate, {{"reason", "rate"}}, dropped);
  AddSample(lines.blocked, {{"reason", "blocked"}}, dropped);
  prometheus::MetricFamily tls =
      FamilyOf(MetricType::Counter, "saliency_tls_refused_total",
               "Changes of the TLS files that could not be used: those read "
               "before stay in force.");
  AddSample(tls_ == nullptr ? 0 : tls_->refused(), {}, tls);
  return {std::move(open), std::move(refused), std::move(reset),
          std::move(dropped), std::move(tls)};
}

}  // namespace saliency
