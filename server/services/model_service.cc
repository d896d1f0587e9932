#include "server/services/model_service.h"

#include <utility>
#include <vector>

#include "core/base/status.h"
#include "server/convert/convert_model.h"
#include "server/convert/convert_parts.h"
#include "server/transport/unary_call.h"

namespace saliency {
namespace {

// GetModel describes what is ready; of the rest it says the state, so that a
// failed model can be asked why.
absl::Status Describe(const v1::GetModelRequest& request,
                      const ModelTable& models, PendingCall& call,
                      v1::GetModelResponse* response) {
  const v1::ModelRef& asked = request.model();
  ASSIGN_OR_RETURN(const int64_t version, VersionFromProto(asked));
  ASSIGN_OR_RETURN(const std::vector<ModelVersionPtr> versions,
                   models.FindModel(asked.name()));
  const absl::StatusOr<ModelVersionPtr> ready =
      models.FindReady(asked.name(), version);
  if (absl::IsNotFound(ready.status())) return ready.status();
  const int64_t highest = versions.back()->version;
  const int64_t wanted = version > 0 ? version : highest;
  call.SetModel(versions.back()->model,
                ready.ok() ? (*ready)->version : wanted);
  response->mutable_model()->set_name(versions.back()->model);
  response->mutable_model()->set_version(ready.ok() ? (*ready)->version
                                                    : wanted);
  for (const ModelVersionPtr& each : versions) {
    ToProto(*each, response->add_versions());
  }
  if (!ready.ok()) return absl::OkStatus();
  ToProto(*(*ready)->metadata, response);
  response->set_sha256((*ready)->sha256);
  return absl::OkStatus();
}

}  // namespace

ModelService::ModelService(const ModelTable& models, CallTracker& tracker,
                           Calibrations* calibrations)
    : StreamedService("saliency.v1.ModelService"),
      models_(models),
      tracker_(tracker),
      calibrations_(calibrations) {
  using List = UnaryCall<v1::ListModelsRequest, v1::ListModelsResponse>;
  Serve<v1::ListModelsRequest, v1::ListModelsResponse>(
      "ListModels", [this](grpc::CallbackServerContext* context) {
        return new List(context, tracker_, "ListModels",
                        [this](PendingCall& call, const auto& /*request*/,
                               v1::ListModelsResponse* response) {
                          ToProto(models_.List(), response);
                          call.FinishWith(absl::OkStatus());
                        });
      });
  using Get = UnaryCall<v1::GetModelRequest, v1::GetModelResponse>;
  Serve<v1::GetModelRequest, v1::GetModelResponse>(
      "GetModel", [this](grpc::CallbackServerContext* context) {
        return new Get(
            context, tracker_, "GetModel",
            [this](PendingCall& call, const v1::GetModelRequest& request,
                   v1::GetModelResponse* response) {
              call.FinishWith(Describe(request, models_, call, response));
            });
      });
  ServeCalibrate();
}

void ModelService::ServeCalibrate() {
  CalibrationCall::Begin begin;
  if (calibrations_ != nullptr) {
    begin = [calibrations = calibrations_](
                CalibrationCall& call,
                const v1::CalibrationSettings& settings) {
      return calibrations->Begin(call, settings);
    };
  }
  Serve<v1::CalibrateLayerWeightsRequest, v1::CalibrateLayerWeightsResponse>(
      "CalibrateLayerWeights",
      [this, begin](grpc::CallbackServerContext* context) {
        return CalibrationCall::Start(context, tracker_, begin);
      });
}

}  // namespace saliency
