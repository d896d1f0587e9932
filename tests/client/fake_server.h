// A server for the client's tests: real gRPC on a loopback port that the system
// chooses, with answers made up.

#ifndef SALIENCY_TESTS_CLIENT_FAKE_SERVER_H_
#define SALIENCY_TESTS_CLIENT_FAKE_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/server.h"
#include "saliency/v1/model_service.grpc.pb.h"
#include "saliency/v1/saliency_service.grpc.pb.h"

namespace saliency {

// Thread-safe.
class FakeServer {
 public:
  using Compute = std::function<grpc::Status(grpc::ServerContext&,
                                             const v1::ComputeSaliencyRequest&,
                                             v1::ComputeSaliencyResponse&)>;

  using Combine = std::function<grpc::Status(grpc::ServerContext&,
                                             const v1::CombineLayersRequest&,
                                             v1::CombineLayersResponse&)>;

  using CalibrationStream =
      grpc::ServerReaderWriter<v1::CalibrateLayerWeightsResponse,
                               v1::CalibrateLayerWeightsRequest>;
  using Calibrate =
      std::function<grpc::Status(grpc::ServerContext&, CalibrationStream&)>;

  using Answers = grpc::ServerReaderWriter<v1::StreamSaliencyResponse,
                                           v1::StreamSaliencyRequest>;
  using Stream = std::function<grpc::Status(grpc::ServerContext&, Answers&)>;

  using Sensitivity = std::function<grpc::Status(
      grpc::ServerContext&, const v1::MeasureClassSensitivityRequest&,
      v1::MeasureClassSensitivityResponse&)>;

  // Fills in the stages that are sent before the status.
  using WeightStages = std::function<grpc::Status(
      grpc::ServerContext&, const v1::MeasureWeightSensitivityRequest&,
      std::vector<v1::MeasureWeightSensitivityResponse>&)>;

  // A null `stream` answers each question in turn by `compute` and `combine`.
  explicit FakeServer(
      Compute compute = nullptr,
      std::shared_ptr<grpc::ServerCredentials> credentials = nullptr,
      Combine combine = nullptr, Stream stream = nullptr,
      Sensitivity sensitivity = nullptr);
  ~FakeServer();

  std::string address() const;
  // Calls of ComputeSaliency so far, attempts counted.
  int calls() const;
  // Calls of StreamSaliency so far.
  int streams() const;
  std::vector<v1::MeasureWeightSensitivityRequest> weight_requests() const;
  std::vector<v1::ComputeSaliencyRequest> requests() const;
  std::vector<v1::CombineLayersRequest> combine_requests() const;
  std::vector<v1::MetaSaliencyRequest> meta_requests() const;
  std::vector<v1::MeasureClassSensitivityRequest> sensitivity_requests() const;
  // Settings and images, in order, of the calls that `calibrate` did not
  // take.
  std::vector<v1::CalibrateLayerWeightsRequest> calibration_requests() const;
  // Answers calibrations instead of two layers that are measured and stored,
  // after images named "bad" are rejected.  Before the first call.
  void SetCalibrate(Calibrate calibrate);
  // Answers weight sensitivities instead of RampsOfStages.  Before the first
  // call.
  void SetWeightStages(WeightStages weight_stages);
  void Stop();
  // What grpc.health.v1 says of a name; NOT_FOUND until it is set.
  void SetHealth(const std::string& service, bool serving);

 private:
  class Saliency : public v1::SaliencyService::Service {
   public:
    Saliency(Compute compute, Combine combine, Stream stream,
             Sensitivity sensitivity)
        : compute_(std::move(compute)),
          combine_(std::move(combine)),
          stream_(std::move(stream)),
          sensitivity_(std::move(sensitivity)) {}
    grpc::Status ComputeSaliency(
        grpc::ServerContext* context, const v1::ComputeSaliencyRequest* request,
        v1::ComputeSaliencyResponse* response) override;
    grpc::Status CombineLayers(grpc::ServerContext* context,
                               const v1::CombineLayersRequest* request,
                               v1::CombineLayersResponse* response) override;
    grpc::Status MetaSaliency(grpc::ServerContext* context,
                              const v1::MetaSaliencyRequest* request,
                              v1::MetaSaliencyResponse* response) override;
    grpc::Status MeasureWeightSensitivity(
        grpc::ServerContext* context,
        const v1::MeasureWeightSensitivityRequest* request,
        grpc::ServerWriter<v1::MeasureWeightSensitivityResponse>* writer)
        override;
    grpc::Status StreamSaliency(grpc::ServerContext* context,
                                Answers* answers) override;
    // UNIMPLEMENTED unless the test says what to answer.
    grpc::Status MeasureClassSensitivity(
        grpc::ServerContext* context,
        const v1::MeasureClassSensitivityRequest* request,
        v1::MeasureClassSensitivityResponse* response) override;
    std::vector<v1::ComputeSaliencyRequest> requests() const;
    std::vector<v1::CombineLayersRequest> combine_requests() const;
    int streams() const;
    std::vector<v1::MeasureWeightSensitivityRequest> weight_requests() const;
    std::vector<v1::MetaSaliencyRequest> meta_requests() const;
    std::vector<v1::MeasureClassSensitivityRequest> sensitivity_requests()
        const;
    WeightStages weight_stages;  // as SetWeightStages

   private:
    const Compute compute_;
    const Combine combine_;
    const Stream stream_;
    const Sensitivity sensitivity_;
    mutable Mutex mu_;
    std::vector<v1::ComputeSaliencyRequest> requests_ ABSL_GUARDED_BY(mu_);
    std::vector<v1::CombineLayersRequest> combine_requests_
        ABSL_GUARDED_BY(mu_);
    int streams_ ABSL_GUARDED_BY(mu_) = 0;
    std::vector<v1::MeasureWeightSensitivityRequest> weight_requests_
        ABSL_GUARDED_BY(mu_);
    std::vector<v1::MetaSaliencyRequest> meta_requests_ ABSL_GUARDED_BY(mu_);
    std::vector<v1::MeasureClassSensitivityRequest> sensitivity_requests_
        ABSL_GUARDED_BY(mu_);
  };
  class Models : public v1::ModelService::Service {
   public:
    grpc::Status ListModels(grpc::ServerContext* context,
                            const v1::ListModelsRequest* request,
                            v1::ListModelsResponse* response) override;
    grpc::Status GetModel(grpc::ServerContext* context,
                          const v1::GetModelRequest* request,
                          v1::GetModelResponse* response) override;
    grpc::Status CalibrateLayerWeights(grpc::ServerContext* context,
                                       CalibrationStream* stream) override;

    Calibrate calibrate;  // constant once calls come
    std::vector<v1::CalibrateLayerWeightsRequest> calibration_requests() const;

   private:
    mutable Mutex mu_;
    std::vector<v1::CalibrateLayerWeightsRequest> calibration_requests_
        ABSL_GUARDED_BY(mu_);
  };
  class Health : public grpc::health::v1::Health::Service {
   public:
    void Set(const std::string& service, bool serving);
    grpc::Status Check(
        grpc::ServerContext* context,
        const grpc::health::v1::HealthCheckRequest* request,
        grpc::health::v1::HealthCheckResponse* response) override;

   private:
    Mutex mu_;
    std::map<std::string, bool> serving_ ABSL_GUARDED_BY(mu_);
  };

  Saliency saliency_;
  Models models_;
  Health health_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_FAKE_SERVER_H_
