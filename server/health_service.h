// grpc.health.v1, answered from a HealthBoard.  Our own, since gRPC's default
// one says SERVING before anything is loaded and cannot forget a name.
// Thread-safe.

#ifndef SALIENCY_SERVER_HEALTH_SERVICE_H_
#define SALIENCY_SERVER_HEALTH_SERVICE_H_

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/health_board.h"

namespace saliency {

class HealthService : public grpc::health::v1::Health::CallbackService {
 public:
  // `board` outlives this.
  explicit HealthService(HealthBoard& board) : board_(board) {}

  grpc::ServerUnaryReactor* Check(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request,
      grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  HealthBoard& board_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_HEALTH_SERVICE_H_
