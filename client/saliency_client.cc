#include "client/saliency_client.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/call_attempts.h"
#include "client/error_details.h"
#include "client/image_writer.h"
#include "client/server_address.h"
#include "core/base/status.h"
#include "grpcpp/client_context.h"

namespace saliency {
namespace {

// gRPC aborts the process on metadata that HTTP/2 cannot carry.
bool IsPrintableAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7E; });
}

absl::Status Check(const ClientOptions& options) {
  if (options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("timeout ", absl::FormatDuration(options.timeout),
                     " must be positive"));
  }
  if (!IsPrintableAscii(options.token)) {
    return absl::InvalidArgumentError("token must be printable ASCII");
  }
  const ChannelOptions& channel = options.channel;
  if (channel.retry.max_attempts < 1 || channel.retry.max_attempts > 5) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_attempts ", channel.retry.max_attempts, " not in [1, 5]"));
  }
  if (channel.max_send_bytes < 1 || channel.max_receive_bytes < 1) {
    return absl::InvalidArgumentError("message limits must be positive");
  }
  return absl::OkStatus();
}

// Whoever listens in on a token can use it.
absl::Status CheckTokenStaysSecret(const ClientOptions& options) {
  if (options.token.empty() || options.channel.tls.any()) {
    return absl::OkStatus();
  }
  for (const std::string& server : options.channel.servers) {
    ASSIGN_OR_RETURN(const ServerAddress address, ParseServerAddress(server));
    if (address.is_loopback()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the token would travel to ", address.text(),
                     " in plain text: turn TLS on (--tls-ca)"));
  }
  return absl::OkStatus();
}

bool IsReady(grpc::Channel& channel) {
  return channel.GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
}

std::string Authorization(const std::string& token) {
  return token.empty() ? "" : absl::StrCat("Bearer ", token);
}

// A listener on the caller's token for as long as the call lasts.  What it
// refers to is shared: Cancel() may be running it while the call returns.
class CancelListener {
 public:
  CancelListener(std::shared_ptr<CancelToken> token,
                 std::function<void()> listener)
      : token_(std::move(token)) {
    if (token_ != nullptr) token_->SetListener(std::move(listener));
  }
  ~CancelListener() {
    if (token_ != nullptr) token_->SetListener(nullptr);
  }
  CancelListener(const CancelListener&) = delete;
  CancelListener& operator=(const CancelListener&) = delete;

 private:
  const std::shared_ptr<CancelToken> token_;
};

// What the channel can receive, unless the caller has said something else.
void TellLimit(const ClientOptions& options, v1::OutputOptions& output) {
  if (output.max_answer_bytes() != 0) return;
  output.set_max_answer_bytes(options.channel.max_receive_bytes);
}

void TellLimit(const ClientOptions& options,
               v1::StreamSaliencyRequest& question) {
  using Request = v1::StreamSaliencyRequest;
  switch (question.request_case()) {
    case Request::kCompute:
      return TellLimit(options, *question.mutable_compute()->mutable_output());
    case Request::kCombine:
      return TellLimit(options, *question.mutable_combine()->mutable_output());
    case Request::kMeta:
      return TellLimit(options, *question.mutable_meta()->mutable_output());
    case Request::kClassSensitivity:  // its answers have no maps
    case Request::REQUEST_NOT_SET:
      return;
  }
}

// Returns whether a stage came.
bool HandOutStages(
    grpc::ClientReaderInterface<v1::MeasureWeightSensitivityResponse>& reader,
    const SaliencyClient::TakeWeightStage& take, grpc::ClientContext& context) {
  v1::MeasureWeightSensitivityResponse stage;
  bool any = false;
  while (reader.Read(&stage)) {
    any = true;
    if (!take(std::move(stage))) {
      context.TryCancel();
      break;
    }
    stage.Clear();
  }
  return any;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SaliencyClient>> SaliencyClient::Connect(
    ClientOptions options) {
  RETURN_IF_ERROR(Check(options));
  RETURN_IF_ERROR(CheckTokenStaysSecret(options));
  Channels channels;
  ChannelOptions channel = options.channel;
  if (channel.tls.any()) {
    channel.token = options.token;
  } else {
    channels.authorization = Authorization(options.token);
  }
  ASSIGN_OR_RETURN(channels.questions, CreateChannel(channel));
  // A server that has no other beside it is asked whatever its health: one that
  // drains still answers.  gRPC's own health checks carry no metadata of calls.
  channel.ready_servers_only =
      channels.authorization.empty() && HasSeveralAddresses(channel.servers);
  ASSIGN_OR_RETURN(channels.images, CreateChannel(channel));
  return std::unique_ptr<SaliencyClient>(
      new SaliencyClient(std::move(channels), std::move(options)));
}

absl::StatusOr<std::unique_ptr<SaliencyClient>> SaliencyClient::Create(
    std::shared_ptr<grpc::Channel> channel, ClientOptions options) {
  RETURN_IF_ERROR(Check(options));
  Channels channels = {.images = channel,
                       .questions = channel,
                       .authorization = Authorization(options.token)};
  return std::unique_ptr<SaliencyClient>(
      new SaliencyClient(std::move(channels), std::move(options)));
}

SaliencyClient::SaliencyClient(Channels channels, ClientOptions options)
    : options_(std::move(options)),
      channels_(std::move(channels)),
      saliency_(v1::SaliencyService::NewStub(channels_.images)),
      models_(v1::ModelService::NewStub(channels_.questions)),
      health_(grpc::health::v1::Health::NewStub(channels_.questions)) {}

absl::Status SaliencyClient::CheckSize(
    const google::protobuf::MessageLite& request) const {
  const size_t size_bytes = request.ByteSizeLong();
  if (size_bytes > static_cast<size_t>(options_.channel.max_send_bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("request of ", size_bytes, " bytes is above the limit of ",
                     options_.channel.max_send_bytes));
  }
  return absl::OkStatus();
}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> SaliencyClient::Call(
    Stub& stub,
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                 Response*),
    const Request& request, const CallOptions& options) const {
  RETURN_IF_ERROR(CheckSize(request));
  const absl::Duration timeout = options.timeout.value_or(options_.timeout);
  const std::shared_ptr<grpc::ClientContext> context = NewContext(timeout);
  Response response;
  const CancelListener listener(options.cancel,
                                [context] { context->TryCancel(); });
  const grpc::Status status = (stub.*method)(context.get(), request, &response);
  if (!status.ok()) return ToAbsl(status, timeout);
  return response;
}

std::shared_ptr<grpc::ClientContext> SaliencyClient::NewContext(
    absl::Duration timeout) const {
  auto context = std::make_shared<grpc::ClientContext>();
  if (timeout != absl::InfiniteDuration()) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  }
  if (!channels_.authorization.empty()) {
    context->AddMetadata("authorization", channels_.authorization);
  }
  return context;
}

absl::Status SaliencyClient::MeasureWeightSensitivity(
    v1::MeasureWeightSensitivityRequest request, const TakeWeightStage& take,
    const CallOptions& options) const {
  TellLimit(options_, *request.mutable_output());
  RETURN_IF_ERROR(CheckSize(request));
  const absl::Duration timeout = options.timeout.value_or(options_.timeout);
  const absl::Time deadline = absl::Now() + timeout;
  const RetryOptions& retry = options_.channel.retry;
  const auto attempts = std::make_shared<CallAttempts>();
  const CancelListener listener(options.cancel,
                                [attempts] { attempts->Cancel(); });
  // gRPC's own attempts are over in seconds, the study of another caller that
  // the server is busy with may take minutes.
  while (true) {
    const std::shared_ptr<grpc::ClientContext> context =
        NewContext(deadline - absl::Now());
    attempts->Begin(context);
    const auto reader =
        saliency_->MeasureWeightSensitivity(context.get(), request);
    const bool any = HandOutStages(*reader, take, *context);
    const grpc::Status status = reader->Finish();
    if (status.ok()) return absl::OkStatus();
    const std::optional<absl::Duration> delay =
        RetryDelayOf(StatusFrom(status));
    if (any || retry.max_attempts == 1 || !delay.has_value()) {
      return ToAbsl(status, timeout);
    }
    const absl::Time next =
        absl::Now() + std::max(*delay, retry.initial_backoff);
    if (next >= deadline) return ToAbsl(status, timeout);
    if (attempts->CancelledBefore(next)) {
      return absl::CancelledError("cancelled");
    }
  }
}

absl::Status SaliencyClient::ToAbsl(const grpc::Status& status,
                                    absl::Duration timeout) const {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  const bool connected =
      IsReady(*channels_.images) || IsReady(*channels_.questions);
  const std::string servers = absl::StrJoin(options_.channel.servers, ", ");
  // What gRPC says of servers that it did connect to.
  if (code == absl::StatusCode::kUnavailable &&
      absl::StrContains(status.error_message(), "backend unhealthy")) {
    return absl::Status(code, absl::StrCat("none of ", servers, " is ready"));
  }
  if (code == absl::StatusCode::kUnavailable && !connected) {
    return absl::Status(code, absl::StrCat("cannot reach ", servers));
  }
  // "Deadline Exceeded" is what gRPC says when it is our clock that ran out.
  if (code == absl::StatusCode::kDeadlineExceeded &&
      status.error_message() == "Deadline Exceeded") {
    return absl::Status(
        code, absl::StrCat(connected ? "no answer from " : "cannot reach ",
                           servers, " within ", absl::FormatDuration(timeout)));
  }
  return StatusFrom(status);
}

absl::StatusOr<v1::ComputeSaliencyResponse> SaliencyClient::ComputeSaliency(
    v1::ComputeSaliencyRequest request, const CallOptions& options) const {
  TellLimit(options_, *request.mutable_output());
  return Call(*saliency_, &v1::SaliencyService::Stub::ComputeSaliency, request,
              options);
}

absl::StatusOr<v1::CombineLayersResponse> SaliencyClient::CombineLayers(
    v1::CombineLayersRequest request, const CallOptions& options) const {
  TellLimit(options_, *request.mutable_output());
  return Call(*saliency_, &v1::SaliencyService::Stub::CombineLayers, request,
              options);
}

absl::StatusOr<v1::MetaSaliencyResponse> SaliencyClient::MetaSaliency(
    v1::MetaSaliencyRequest request, const CallOptions& options) const {
  TellLimit(options_, *request.mutable_output());
  return Call(*saliency_, &v1::SaliencyService::Stub::MetaSaliency, request,
              options);
}

absl::StatusOr<v1::MeasureClassSensitivityResponse>
SaliencyClient::MeasureClassSensitivity(
    const v1::MeasureClassSensitivityRequest& request,
    const CallOptions& options) const {
  return Call(*saliency_, &v1::SaliencyService::Stub::MeasureClassSensitivity,
              request, options);
}

absl::Status SaliencyClient::Stream(const NextQuestion& next,
                                    const TakeAnswer& take,
                                    const BulkOptions& options) const {
  if (options.window < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("window ", options.window, " is less than 1"));
  }
  const absl::Duration timeout = options.timeout.value_or(options_.timeout);
  const NextQuestion limited = [&] {
    std::optional<v1::StreamSaliencyRequest> question = next();
    if (question.has_value()) TellLimit(options_, *question);
    return question;
  };
  // Shared: Cancel() may be running it while this returns.
  const auto run = std::make_shared<StreamSession>(
      *saliency_,
      StreamSession::Options{
          .window = options.window,
          .in_order = options.in_order,
          .timeout = timeout,
          .retry = options_.channel.retry,
          .max_question_bytes = options_.channel.max_send_bytes,
          .authorization = channels_.authorization,
          .servers = absl::StrJoin(options_.channel.servers, ", "),
          .on_progress = options.on_progress,
          .to_absl =
              [this, timeout](const grpc::Status& status) {
                return ToAbsl(status, timeout);
              }},
      limited, take);
  const CancelListener listener(options.cancel, [run] { run->Cancel(); });
  return run->Run();
}

absl::StatusOr<v1::ListModelsResponse> SaliencyClient::ListModels(
    const v1::ListModelsRequest& request, const CallOptions& options) const {
  return Call(*models_, &v1::ModelService::Stub::ListModels, request, options);
}

absl::StatusOr<v1::GetModelResponse> SaliencyClient::GetModel(
    const v1::GetModelRequest& request, const CallOptions& options) const {
  return Call(*models_, &v1::ModelService::Stub::GetModel, request, options);
}

absl::StatusOr<v1::CalibrationResult> SaliencyClient::CalibrateLayerWeights(
    const v1::CalibrationSettings& settings, const NextLabelledImage& next,
    const CalibrationNews& on_news, const CallOptions& options) const {
  const absl::Duration timeout =
      options.timeout.value_or(absl::InfiniteDuration());
  const std::shared_ptr<grpc::ClientContext> context = NewContext(timeout);
  const CancelListener listener(options.cancel,
                                [context] { context->TryCancel(); });
  const auto stream = models_->CalibrateLayerWeights(context.get());
  std::optional<v1::CalibrationResult> result;
  {
    ImageWriter writer(
        {.settings = settings,
         .next = next,
         .on_news = on_news,
         .max_bytes = static_cast<size_t>(options_.channel.max_send_bytes)},
        *stream);
    v1::CalibrateLayerWeightsResponse response;
    while (stream->Read(&response)) {
      if (response.has_result()) {
        result = std::move(*response.mutable_result());
      } else {
        writer.Tell(response);
      }
    }
  }
  const grpc::Status status = stream->Finish();
  if (!status.ok()) return ToAbsl(status, timeout);
  if (result.has_value()) return *std::move(result);
  return absl::InternalError(
      "the server ended the calibration without a result");
}

absl::StatusOr<grpc::health::v1::HealthCheckResponse>
SaliencyClient::CheckHealth(const grpc::health::v1::HealthCheckRequest& request,
                            const CallOptions& options) const {
  return Call(*health_, &grpc::health::v1::Health::Stub::Check, request,
              options);
}

}  // namespace saliency
