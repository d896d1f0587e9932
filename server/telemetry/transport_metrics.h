// What the transport and the log count for themselves, read when Prometheus
// asks.
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_TRANSPORT_METRICS_H_
#define SALIENCY_SERVER_TELEMETRY_TRANSPORT_METRICS_H_

#include <map>
#include <string>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"
#include "server/security/tls_file_watch.h"
#include "server/telemetry/log.h"
#include "server/transport/connection_acceptor.h"

namespace saliency {

// saliency_connections{port}, saliency_connections_refused_total{port,reason},
// saliency_connections_reset_total{port}, saliency_log_dropped_total{reason},
// saliency_tls_refused_total.
class TransportMetrics : public prometheus::Collectable {
 public:
  // By the port's name; all outlive this.  `tls` may be null: plain text.
  TransportMetrics(std::map<std::string, ConnectionAcceptor*> ports,
                   const Log& log, const TlsFileWatch* tls)
      : ports_(std::move(ports)), log_(log), tls_(tls) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::map<std::string, ConnectionAcceptor*> ports_;
  const Log& log_;
  const TlsFileWatch* const tls_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_TRANSPORT_METRICS_H_
