#include "server/services/saliency_service.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/base/status.h"
#include "core/base/violations.h"
#include "core/engine/finish/precomputed_maps.h"
#include "core/engine/plan/answer_bytes.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/run/model_copies.h"
#include "core/model/torch_status.h"
#include "server/convert/convert_answer.h"
#include "server/convert/convert_class_sensitivity.h"
#include "server/convert/convert_combination.h"
#include "server/convert/convert_meta.h"
#include "server/convert/convert_request.h"
#include "server/convert/convert_weight_sensitivity.h"
#include "server/convert/public_status.h"
#include "server/loading/served_copies.h"
#include "server/services/stream_call.h"
#include "server/transport/pending_call.h"
#include "server/transport/unary_call.h"

namespace saliency {
namespace {

template <typename Request>
bool AsksModel(const Request&) {
  return true;
}
bool AsksModel(const v1::CombineLayersRequest& request) {
  return !request.has_maps();
}

// All that is wrong with a request that became `job` in part: the engine, which
// would refuse it as well, sees the rest of it.
absl::Status AllViolations(const Job& job, const ModelVersion* model,
                           const EngineLimits& limits, Violations found) {
  if (HoldsGivenMaps(job)) {
    CheckGivenMaps(job, limits, found);
  } else if (model != nullptr) {
    CheckJob(job, *model->metadata, limits, found);
  }
  return found.status();
}

// The job that `request` asks for, of a model that is there or of none.
template <typename Request>
absl::StatusOr<Job> MakeJob(const Request& request, const EngineLimits& limits,
                            const ModelTable& models, PendingCall& call) {
  RETURN_IF_ERROR(call.admission());
  Violations found;
  ModelVersionPtr model;  // null: none
  if (AsksModel(request)) {
    absl::StatusOr<ModelVersionPtr> ready =
        models.FindReady(request.model().name(), request.model().version());
    if (ready.ok()) {
      model = *std::move(ready);
      call.SetModel(model->model, model->version);
    } else if (absl::IsNotFound(ready.status()) ||
               absl::IsInvalidArgument(ready.status())) {
      found.Add(ready.status());
    } else {
      return ready.status();  // not the request's fault
    }
  }
  Job job = JobFromProto(request, limits, found);
  if (!found.empty()) return AllViolations(job, model.get(), limits, found);
  if (model != nullptr) {
    job.model = model->model;
    job.version = model->version;
  }
  job.request_id = call.request_id();
  job.caller = call.caller();
  job.deadline = call.deadline();
  job.cancel = call.cancel_token();
  job.on_progress = call.on_progress();
  return job;
}

// A result that fails by our own fault says nothing to the caller.
void LogIfInternal(const MapResult& result, PendingCall& call) {
  if (!HidesDetail(result.status)) return;
  call.log().Error("internal error in a result",
                   {{"request_id", call.request_id()},
                    {"method", result.method},
                    {"layer", result.layer},
                    {"detail", result.status.ToString()}});
}

void LogInternalResults(const Explanation& answer, PendingCall& call) {
  for (const MapResult& map : answer.results) LogIfInternal(map, call);
  for (const MapResult& map : answer.layer_maps) LogIfInternal(map, call);
  for (const CombinedResult& c : answer.combined) LogIfInternal(c.map, call);
  for (const MapResult& map : answer.plain_results) LogIfInternal(map, call);
  for (const CombinedResult& combined : answer.plain_combined) {
    LogIfInternal(combined.map, call);
  }
}

// The work that an answer holds.
int64_t RowsOf(const Explanation& answer, std::size_t targets) {
  return static_cast<int64_t>(answer.images.size() *
                              std::max<std::size_t>(targets, 1));
}

// Encoded images have a size only once they are made.  A stream lays an id
// around its answers.
absl::Status CheckAnswer(const google::protobuf::MessageLite& answer,
                         const OutputOptions& output,
                         const EngineLimits& limits) {
  constexpr int64_t kEnvelopeBytes = 512;
  return CheckAnswerBytes(
      static_cast<int64_t>(answer.ByteSizeLong()) + kEnvelopeBytes, output,
      limits);
}

// What of a job is still needed when its answer is there.
struct Asked {
  std::size_t targets = 0;
  OutputOptions output;
};

template <typename Response>
void FinishCall(PendingCall& call, absl::StatusOr<Explanation> answer,
                const Asked& asked, const EngineLimits& limits,
                Response* response) {
  if (!answer.ok()) return call.FinishWith(answer.status());
  if (const absl::Status overall = OverallStatus(*answer); !overall.ok()) {
    return call.FinishWith(overall);
  }
  const int64_t rows = RowsOf(*answer, asked.targets);
  LogInternalResults(*answer, call);
  call.Hold(std::move(answer->hold));
  ToProto(*std::move(answer), call.request_id(), response);
  call.FinishWith(CheckAnswer(*response, asked.output, limits), rows);
}

}  // namespace

template <typename Request, typename Response>
void SaliencyService::Answer(PendingCall& call, const Request& request,
                             Response* response) {
  absl::StatusOr<Job> job = MakeJob(request, limits_, models_, call);
  if (!job.ok()) return call.FinishWith(job.status());
  const std::size_t targets = job->targets.size();
  OutputOptions output = job->output;
  submit_(*std::move(job), [this, &call, targets, output = std::move(output),
                            response](absl::StatusOr<Explanation> answer) {
    FinishCall(call, std::move(answer), {.targets = targets, .output = output},
               limits_, response);
  });
}

SaliencyService::SaliencyService(const EngineLimits& limits,
                                 const ModelTable& models, CallTracker& tracker,
                                 SubmitJob submit, WorkInHand& in_hand,
                                 ServiceOptions options)
    : StreamedService("saliency.v1.SaliencyService"),
      limits_(limits),
      models_(models),
      tracker_(tracker),
      submit_(std::move(submit)),
      in_hand_(in_hand),
      options_(std::move(options)),
      studies_(options_.max_weight_studies) {
  ServeUnary<v1::ComputeSaliencyRequest, v1::ComputeSaliencyResponse>(
      "ComputeSaliency");
  ServeUnary<v1::CombineLayersRequest, v1::CombineLayersResponse>(
      "CombineLayers");
  ServeUnary<v1::MetaSaliencyRequest, v1::MetaSaliencyResponse>("MetaSaliency");
  ServeUnary<v1::MeasureClassSensitivityRequest,
             v1::MeasureClassSensitivityResponse>("MeasureClassSensitivity");
  ServeStream();
  ServeWeightSensitivity();
}

template <typename Request, typename Response>
void SaliencyService::ServeUnary(const char* method) {
  Serve<Request, Response>(
      method, [this, method](grpc::CallbackServerContext* context) {
        return new UnaryCall<Request, Response>(
            context, tracker_, method,
            [this](PendingCall& call, const Request& request,
                   Response* response) { Answer(call, request, response); });
      });
}

void SaliencyService::ServeStream() {
  Serve<v1::StreamSaliencyRequest, v1::StreamSaliencyResponse>(
      "StreamSaliency", [this](grpc::CallbackServerContext* context) {
        return StreamCall::Start(
            context, tracker_, options_.stream,
            [this](StreamItem& question,
                   const v1::StreamSaliencyRequest& asked) {
              AnswerStreamed(question, asked);
            });
      });
}

void SaliencyService::ServeWeightSensitivity() {
  Serve<v1::MeasureWeightSensitivityRequest,
        v1::MeasureWeightSensitivityResponse>(
      "MeasureWeightSensitivity", [this](grpc::CallbackServerContext* context) {
        return WeightSensitivityCall::Start(
            context, tracker_, studies_,
            [this](WeightSensitivityCall& call,
                   const v1::MeasureWeightSensitivityRequest& request) {
              return StudyWeights(call, request);
            });
      });
}

void SaliencyService::AnswerStreamed(StreamItem& question,
                                     const v1::StreamSaliencyRequest& request) {
  using Request = v1::StreamSaliencyRequest;
  v1::StreamSaliencyResponse& answer = question.response();
  switch (request.request_case()) {
    case Request::kCompute:
      return Answer(question, request.compute(), answer.mutable_compute());
    case Request::kCombine:
      return Answer(question, request.combine(), answer.mutable_combine());
    case Request::kMeta:
      return Answer(question, request.meta(), answer.mutable_meta());
    case Request::kClassSensitivity:
      return Answer(question, request.class_sensitivity(),
                    answer.mutable_class_sensitivity());
    case Request::REQUEST_NOT_SET:
      return question.FinishWith(CheckQuestion(request));
  }
}

absl::Status SaliencyService::StudyWeights(
    WeightSensitivityCall& call,
    const v1::MeasureWeightSensitivityRequest& request) {
  ASSIGN_OR_RETURN(const Job job, MakeJob(request, limits_, models_, call));
  ASSIGN_OR_RETURN(const ModelVersionPtr version,
                   models_.FindReady(job.model, job.version));
  ASSIGN_OR_RETURN(const std::shared_ptr<void> hold,
                   HoldForStudy(job, *version));
  const CopyModel copies = CopiesFor(*version, request.seed());
  const CascadeQuestion question = {
      .job = job,
      .stages = {request.stages().begin(), request.stages().end()},
      .model = *version->metadata,
      .limits = limits_,
      .in_hand = in_hand_};
  // The thread that studies has nothing above it to catch an exception.
  return CatchTorch(
      absl::StatusCode::kInternal, "measuring the weights' sensitivity", [&] {
        return RunCascade(question, copies, [&](CascadeStage stage) {
          LogInternalResults(stage.explanation, call);
          const int64_t rows = RowsOf(stage.explanation, job.targets.size());
          auto message = std::make_unique<WeightSensitivityCall::Message>();
          ToProto(std::move(stage), call.request_id(), message.get());
          RETURN_IF_ERROR(CheckAnswer(*message, job.output, limits_));
          return call.Write(std::move(message), rows);
        });
      });
}

absl::StatusOr<std::shared_ptr<void>> SaliencyService::HoldForStudy(
    const Job& job, const ModelVersion& version) const {
  if (options_.hold_bytes == nullptr) return nullptr;
  ASSIGN_OR_RETURN(const JobPlan plan,
                   PlanJob(job, *version.metadata, limits_));
  return options_.hold_bytes(
      job.caller, plan.cost.input_bytes + 2 * plan.cost.answer_bytes);
}

CopyModel SaliencyService::CopiesFor(const ModelVersion& version,
                                     uint64_t seed) const {
  if (options_.copies != nullptr) return options_.copies(version, seed);
  const std::string file = version.folder + "/model.pt";
  return ServedCopies(CopiesOf(file, *version.metadata, seed), file, version);
}

}  // namespace saliency
