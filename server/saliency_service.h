// saliency.v1.SaliencyService: converts, submits, converts back.
// Thread-safe.

#ifndef SALIENCY_SERVER_SALIENCY_SERVICE_H_
#define SALIENCY_SERVER_SALIENCY_SERVICE_H_

#include <utility>

#include "core/engine/engine_limits.h"
#include "saliency/v1/saliency_service.grpc.pb.h"
#include "server/call_desk.h"
#include "server/model_catalogue.h"
#include "server/pending_call.h"
#include "server/stream_question.h"
#include "server/submit_job.h"
#include "server/transport_options.h"

namespace saliency {

class SaliencyService : public v1::SaliencyService::CallbackService {
 public:
  // `catalogue`, `desk` and what `submit` refers to outlive this.
  SaliencyService(const EngineLimits& limits, const ModelCatalogue& catalogue,
                  CallDesk& desk, SubmitJob submit,
                  const StreamLimits& stream = {})
      : limits_(limits),
        catalogue_(catalogue),
        desk_(desk),
        submit_(std::move(submit)),
        stream_(stream) {}

  grpc::ServerUnaryReactor* ComputeSaliency(
      grpc::CallbackServerContext* context,
      const v1::ComputeSaliencyRequest* request,
      v1::ComputeSaliencyResponse* response) override;
  grpc::ServerUnaryReactor* CombineLayers(
      grpc::CallbackServerContext* context,
      const v1::CombineLayersRequest* request,
      v1::CombineLayersResponse* response) override;
  grpc::ServerUnaryReactor* MetaSaliency(
      grpc::CallbackServerContext* context,
      const v1::MetaSaliencyRequest* request,
      v1::MetaSaliencyResponse* response) override;
  grpc::ServerUnaryReactor* MeasureClassSensitivity(
      grpc::CallbackServerContext* context,
      const v1::MeasureClassSensitivityRequest* request,
      v1::MeasureClassSensitivityResponse* response) override;
  grpc::ServerBidiReactor<v1::StreamSaliencyRequest,
                          v1::StreamSaliencyResponse>*
  StreamSaliency(grpc::CallbackServerContext* context) override;

 private:
  // Answers `request`, whoever brought it; `response` lives as long as `call`.
  template <typename Request, typename Response>
  void Answer(PendingCall& call, const Request& request, Response* response);
  void AnswerStreamed(StreamQuestion& question,
                      const v1::StreamSaliencyRequest& request);

  const EngineLimits limits_;
  const ModelCatalogue& catalogue_;
  CallDesk& desk_;
  const SubmitJob submit_;
  const StreamLimits stream_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SALIENCY_SERVICE_H_
