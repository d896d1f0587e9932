// grpc.health.v1, answered from a HealthRegistry.  Our own, since gRPC's
// default one says SERVING before anything is loaded and cannot forget a name.
// Thread-safe.

#ifndef SALIENCY_SERVER_SERVICES_HEALTH_SERVICE_H_
#define SALIENCY_SERVER_SERVICES_HEALTH_SERVICE_H_

#include "grpc/health/v1/health.pb.h"
#include "server/security/token_file.h"
#include "server/services/health_registry.h"
#include "server/transport/one_request.h"
#include "server/transport/streamed_service.h"

namespace saliency {

class HealthService : public StreamedService {
 public:
  // All outlive this.  `tokens` may be null: everybody may ask.  `watches`
  // bound how requests come.
  explicit HealthService(HealthRegistry& registry,
                         const TokenFile* tokens = nullptr,
                         const RequestWatches& watches = {});
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_HEALTH_SERVICE_H_
