// Serves /metrics over HTTP, read only.
// Thread-safe.

#ifndef SALIENCY_SERVER_METRICS_ENDPOINT_H_
#define SALIENCY_SERVER_METRICS_ENDPOINT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"
#include "prometheus/exposer.h"

namespace saliency {

class MetricsEndpoint {
 public:
  // Errors: UNAVAILABLE the address (HOST:PORT) cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address,
      std::vector<std::shared_ptr<prometheus::Collectable>> sources);

  int port() const;  // the bound one

 private:
  MetricsEndpoint(std::unique_ptr<prometheus::Exposer> exposer,
                  std::vector<std::shared_ptr<prometheus::Collectable>> sources)
      : sources_(std::move(sources)), exposer_(std::move(exposer)) {}

  // The exposer holds them weakly, so they go after it.
  const std::vector<std::shared_ptr<prometheus::Collectable>> sources_;
  const std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_METRICS_ENDPOINT_H_
