// saliency.v1.ModelService: answers from the catalogue, and has models
// calibrated.
// Thread-safe.

#ifndef SALIENCY_SERVER_MODEL_SERVICE_H_
#define SALIENCY_SERVER_MODEL_SERVICE_H_

#include "saliency/v1/model_service.grpc.pb.h"
#include "server/calibrations.h"
#include "server/call_desk.h"
#include "server/model_catalogue.h"

namespace saliency {

class ModelService : public v1::ModelService::CallbackService {
 public:
  // All outlive this.  Null `calibrations`: the server allows none.
  ModelService(const ModelCatalogue& catalogue, CallDesk& desk,
               Calibrations* calibrations)
      : catalogue_(catalogue), desk_(desk), calibrations_(calibrations) {}

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerBidiReactor<v1::CalibrateLayerWeightsRequest,
                          v1::CalibrateLayerWeightsResponse>*
  CalibrateLayerWeights(grpc::CallbackServerContext* context) override;

 private:
  const ModelCatalogue& catalogue_;
  CallDesk& desk_;
  Calibrations* const calibrations_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_MODEL_SERVICE_H_
