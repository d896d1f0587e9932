#include "server/metrics_endpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address,
    std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  std::unique_ptr<prometheus::Exposer> exposer;
  // Its constructor throws when the address is taken.
  const absl::Status bound = CatchAsStatus("bind", [&] {
    exposer = std::make_unique<prometheus::Exposer>(address);
    return absl::OkStatus();
  });
  if (!bound.ok()) {
    return absl::UnavailableError(
        absl::StrCat("--metrics-address ", address,
                     ": cannot listen there (in use, or not an address of "
                     "this machine)"));
  }
  for (const auto& source : sources) exposer->RegisterCollectable(source);
  return std::unique_ptr<MetricsEndpoint>(
      new MetricsEndpoint(std::move(exposer), std::move(sources)));
}

int MetricsEndpoint::port() const {
  const std::vector<int> ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

}  // namespace saliency
