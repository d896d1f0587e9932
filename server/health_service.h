// grpc.health.v1, answered from a HealthBoard.  Our own, since gRPC's default
// one says SERVING before anything is loaded and cannot forget a name.
// Thread-safe.

#ifndef SALIENCY_SERVER_HEALTH_SERVICE_H_
#define SALIENCY_SERVER_HEALTH_SERVICE_H_

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/health_board.h"
#include "server/token_file.h"

namespace saliency {

class HealthService : public grpc::health::v1::Health::CallbackService {
 public:
  // Both outlive this.  `tokens` may be null: everybody may ask.
  explicit HealthService(HealthBoard& board, const TokenFile* tokens = nullptr)
      : board_(board), tokens_(tokens) {}

  grpc::ServerUnaryReactor* Check(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request,
      grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  HealthBoard& board_;
  const TokenFile* const tokens_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_HEALTH_SERVICE_H_
