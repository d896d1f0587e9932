// saliency.v1.ModelService: answers from the catalogue.
// Thread-safe.

#ifndef SALIENCY_SERVER_MODEL_SERVICE_H_
#define SALIENCY_SERVER_MODEL_SERVICE_H_

#include "saliency/v1/model_service.grpc.pb.h"
#include "server/call_desk.h"
#include "server/model_catalogue.h"

namespace saliency {

class ModelService : public v1::ModelService::CallbackService {
 public:
  // Both outlive this.
  ModelService(const ModelCatalogue& catalogue, CallDesk& desk)
      : catalogue_(catalogue), desk_(desk) {}

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;

 private:
  const ModelCatalogue& catalogue_;
  CallDesk& desk_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_MODEL_SERVICE_H_
