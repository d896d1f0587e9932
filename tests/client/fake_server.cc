#include "tests/client/fake_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "tests/client/made_answers.h"

namespace saliency {
grpc::Status FakeServer::Saliency::ComputeSaliency(
    grpc::ServerContext* context, const v1::ComputeSaliencyRequest* request,
    v1::ComputeSaliencyResponse* response) {
  {
    MutexLock lock(&mu_);
    requests_.push_back(*request);
  }
  return compute_ ? compute_(*context, *request, *response)
                  : AnswerWithRamps(*request, *response);
}

grpc::Status FakeServer::Saliency::CombineLayers(
    grpc::ServerContext* context, const v1::CombineLayersRequest* request,
    v1::CombineLayersResponse* response) {
  {
    MutexLock lock(&mu_);
    combine_requests_.push_back(*request);
  }
  return combine_ ? combine_(*context, *request, *response)
                  : CombineRamps(*request, *response);
}

grpc::Status FakeServer::Saliency::MetaSaliency(
    grpc::ServerContext*, const v1::MetaSaliencyRequest* request,
    v1::MetaSaliencyResponse* response) {
  {
    MutexLock lock(&mu_);
    meta_requests_.push_back(*request);
  }
  return StepRamps(*request, *response);
}

grpc::Status FakeServer::Saliency::MeasureClassSensitivity(
    grpc::ServerContext* context,
    const v1::MeasureClassSensitivityRequest* request,
    v1::MeasureClassSensitivityResponse* response) {
  {
    MutexLock lock(&mu_);
    sensitivity_requests_.push_back(*request);
  }
  if (sensitivity_) return sensitivity_(*context, *request, *response);
  return {grpc::StatusCode::UNIMPLEMENTED, "the test says nothing"};
}

std::vector<v1::MeasureClassSensitivityRequest>
FakeServer::Saliency::sensitivity_requests() const {
  MutexLock lock(&mu_);
  return sensitivity_requests_;
}

std::vector<v1::MetaSaliencyRequest> FakeServer::Saliency::meta_requests()
    const {
  MutexLock lock(&mu_);
  return meta_requests_;
}

grpc::Status FakeServer::Saliency::MeasureWeightSensitivity(
    grpc::ServerContext* context,
    const v1::MeasureWeightSensitivityRequest* request,
    grpc::ServerWriter<v1::MeasureWeightSensitivityResponse>* writer) {
  {
    MutexLock lock(&mu_);
    weight_requests_.push_back(*request);
  }
  std::vector<v1::MeasureWeightSensitivityResponse> stages;
  const grpc::Status status = weight_stages
                                  ? weight_stages(*context, *request, stages)
                                  : RampsOfStages(*request, stages);
  for (const auto& stage : stages) writer->Write(stage);
  return status;
}

std::vector<v1::MeasureWeightSensitivityRequest>
FakeServer::Saliency::weight_requests() const {
  MutexLock lock(&mu_);
  return weight_requests_;
}

grpc::Status FakeServer::Saliency::StreamSaliency(grpc::ServerContext* context,
                                                  Answers* answers) {
  {
    MutexLock lock(&mu_);
    ++streams_;
  }
  if (stream_) return stream_(*context, *answers);
  v1::StreamSaliencyRequest question;
  while (answers->Read(&question)) {
    v1::StreamSaliencyResponse answer;
    answer.set_id(question.id());
    grpc::Status status;
    if (question.has_combine()) {
      status =
          CombineLayers(context, &question.combine(), answer.mutable_combine());
    } else if (question.has_meta()) {
      status = MetaSaliency(context, &question.meta(), answer.mutable_meta());
    } else {
      status = ComputeSaliency(context, &question.compute(),
                               answer.mutable_compute());
    }
    if (!status.ok()) answer.clear_response();
    // It has the fields of google.rpc.Status.
    answer.mutable_status()->ParseFromString(status.error_details());
    answer.mutable_status()->set_code(status.error_code());
    answer.mutable_status()->set_message(status.error_message());
    answers->Write(answer);
  }
  return grpc::Status::OK;
}

int FakeServer::Saliency::streams() const {
  MutexLock lock(&mu_);
  return streams_;
}

std::vector<v1::CombineLayersRequest> FakeServer::Saliency::combine_requests()
    const {
  MutexLock lock(&mu_);
  return combine_requests_;
}

std::vector<v1::ComputeSaliencyRequest> FakeServer::Saliency::requests() const {
  MutexLock lock(&mu_);
  return requests_;
}

grpc::Status FakeServer::Models::ListModels(grpc::ServerContext*,
                                            const v1::ListModelsRequest*,
                                            v1::ListModelsResponse* response) {
  *response = TinyAndBroken();
  return grpc::Status::OK;
}

grpc::Status FakeServer::Models::GetModel(grpc::ServerContext*,
                                          const v1::GetModelRequest* request,
                                          v1::GetModelResponse* response) {
  if (request->model().name() == "slow") {
    *response = LoadingModel();
    return grpc::Status::OK;
  }
  if (!request->model().name().empty() && request->model().name() != "tiny") {
    return {grpc::StatusCode::NOT_FOUND, "model not found; nearest: \"tiny\""};
  }
  *response = TinyModel();
  return grpc::Status::OK;
}

grpc::Status FakeServer::Models::CalibrateLayerWeights(
    grpc::ServerContext* context, CalibrationStream* stream) {
  if (calibrate) return calibrate(*context, *stream);
  v1::CalibrateLayerWeightsRequest request;
  v1::CalibrateLayerWeightsResponse response;
  int images = 0;
  while (stream->Read(&request)) {
    {
      MutexLock lock(&mu_);
      calibration_requests_.push_back(request);
    }
    if (!request.has_image()) continue;
    ++images;
    if (absl::StrContains(request.image().id(), "bad")) {
      v1::RejectedImage& rejected = *response.mutable_rejected();
      rejected.set_id(request.image().id());
      rejected.mutable_status()->set_code(grpc::StatusCode::INVALID_ARGUMENT);
      rejected.mutable_status()->set_message("input.image: no image");
      stream->Write(response);
    }
    response.mutable_progress()->set_phase(
        v1::CalibrationProgress::PHASE_FEATURES);
    response.mutable_progress()->set_done(images);
    stream->Write(response);
  }
  *response.mutable_result() = TinyCalibration();
  stream->Write(response);
  return grpc::Status::OK;
}

std::vector<v1::CalibrateLayerWeightsRequest>
FakeServer::Models::calibration_requests() const {
  MutexLock lock(&mu_);
  return calibration_requests_;
}

std::vector<v1::CalibrateLayerWeightsRequest> FakeServer::calibration_requests()
    const {
  return models_.calibration_requests();
}

void FakeServer::SetCalibrate(Calibrate calibrate) {
  models_.calibrate = std::move(calibrate);
}

void FakeServer::SetWeightStages(WeightStages weight_stages) {
  saliency_.weight_stages = std::move(weight_stages);
}

void FakeServer::Health::Set(const std::string& service, bool serving) {
  MutexLock lock(&mu_);
  serving_[service] = serving;
}

grpc::Status FakeServer::Health::Check(
    grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
    grpc::health::v1::HealthCheckResponse* response) {
  MutexLock lock(&mu_);
  const auto it = serving_.find(request->service());
  if (it == serving_.end()) {
    return {grpc::StatusCode::NOT_FOUND,
            absl::StrCat("service \"", request->service(), "\" is not known")};
  }
  response->set_status(
      it->second ? grpc::health::v1::HealthCheckResponse::SERVING
                 : grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  return grpc::Status::OK;
}

FakeServer::FakeServer(Compute compute,
                       std::shared_ptr<grpc::ServerCredentials> credentials,
                       Combine combine, Stream stream, Sensitivity sensitivity)
    : saliency_(std::move(compute), std::move(combine), std::move(stream),
                std::move(sensitivity)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(
      "127.0.0.1:0",
      credentials ? credentials : grpc::InsecureServerCredentials(), &port_);
  builder.SetMaxReceiveMessageSize(32 << 20);
  builder.RegisterService(&saliency_);
  builder.RegisterService(&models_);
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
}

FakeServer::~FakeServer() { Stop(); }

void FakeServer::Stop() {
  // Calls that are under way are cancelled at once.
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
}

void FakeServer::SetHealth(const std::string& service, bool serving) {
  health_.Set(service, serving);
}

std::string FakeServer::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

int FakeServer::calls() const {
  return static_cast<int>(saliency_.requests().size());
}

std::vector<v1::MeasureWeightSensitivityRequest> FakeServer::weight_requests()
    const {
  return saliency_.weight_requests();
}

int FakeServer::streams() const { return saliency_.streams(); }

std::vector<v1::ComputeSaliencyRequest> FakeServer::requests() const {
  return saliency_.requests();
}

std::vector<v1::CombineLayersRequest> FakeServer::combine_requests() const {
  return saliency_.combine_requests();
}

std::vector<v1::MetaSaliencyRequest> FakeServer::meta_requests() const {
  return saliency_.meta_requests();
}

std::vector<v1::MeasureClassSensitivityRequest>
FakeServer::sensitivity_requests() const {
  return saliency_.sensitivity_requests();
}

}  // namespace saliency
