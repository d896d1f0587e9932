// The client library: explanations over gRPC with Status instead of exceptions
// or gRPC types.
//
//   saliency::ClientOptions options;
//   options.channel.servers = {"10.0.0.5:50051", "10.0.0.6:50051"};
//   ASSIGN_OR_RETURN(auto client, saliency::SaliencyClient::Connect(options));
//   saliency::v1::ComputeSaliencyRequest request;
//   request.mutable_input()->set_image(jpeg_bytes);
//   ASSIGN_OR_RETURN(auto answer, client->ComputeSaliency(request));
//
// A client owns its channel (gRPC may share the connections beneath between
// channels of the same process); make one and keep it, since connecting is what
// takes time.  Thread-safe: any number of calls at once, one thread each.  The
// client outlives the calls made on it.

#ifndef SALIENCY_CLIENT_SALIENCY_CLIENT_H_
#define SALIENCY_CLIENT_SALIENCY_CLIENT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/channel.h"
#include "client/image_writer.h"
#include "client/stream_session.h"
#include "core/base/cancel_token.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/channel.h"
#include "saliency/v1/model_service.grpc.pb.h"
#include "saliency/v1/saliency_service.grpc.pb.h"

namespace saliency {

struct ClientOptions {
  ChannelOptions channel;
  // Sent as `authorization: Bearer TOKEN`; empty: none.  Printable ASCII.
  // Without TLS it goes to this machine alone.
  std::string token;
  // Of a whole call, retries included; positive.
  absl::Duration timeout = absl::Seconds(60);
};

struct CallOptions {
  std::optional<absl::Duration> timeout;  // instead of ClientOptions::timeout
  // Cancelling it ends the call with CANCELLED.  May be null.  One call at a
  // time uses a token; the call replaces the token's listener.
  std::shared_ptr<CancelToken> cancel;
};

struct BulkOptions {
  int window = 32;  // questions asked and not yet handed out; >= 1
  // Whether answers are handed out in the order of the questions, not as they
  // come.
  bool in_order = false;
  // Of each question, instead of ClientOptions::timeout.
  std::optional<absl::Duration> timeout;
  // Hears of questions with samples that are in work, about twice a second, on
  // the thread that calls; null: nobody wants to know.
  HearProgress on_progress;
  // As in CallOptions: ends all of it.
  std::shared_ptr<CancelToken> cancel;
};

class SaliencyClient {
 public:
  // Does not wait for the servers: the first call connects.  Of several
  // servers only those that are ready get images (but where a token goes to
  // this machine in plain text); the others still answer questions about models
  // and health.
  // Errors: as CreateChannel; INVALID_ARGUMENT for a timeout that is not
  //   positive, a token with other characters or that others could read on its
  //   way, limits out of range.
  static absl::StatusOr<std::unique_ptr<SaliencyClient>> Connect(
      ClientOptions options);

  // Over a channel made elsewhere (in process, or with another policy), which
  // keeps a token secret or not; `options.channel` then serves for messages and
  // the size check alone.
  static absl::StatusOr<std::unique_ptr<SaliencyClient>> Create(
      std::shared_ptr<grpc::Channel> channel, ClientOptions options);

  // Each waits for the answer.  Where output.max_answer_bytes of a request is
  // not set, the server is told that this client's channel receives messages of
  // ChannelOptions::max_receive_bytes.
  // Errors: the server's code, message and details (error_details.h);
  // UNAVAILABLE "cannot reach ..." when
  //   no server could be connected to, "none of ... is ready" when all that
  //   could said so; DEADLINE_EXCEEDED, CANCELLED;
  //   INVALID_ARGUMENT, before sending, for a request above max_send_bytes.
  absl::StatusOr<v1::ComputeSaliencyResponse> ComputeSaliency(
      v1::ComputeSaliencyRequest request,
      const CallOptions& options = {}) const;
  absl::StatusOr<v1::CombineLayersResponse> CombineLayers(
      v1::CombineLayersRequest request, const CallOptions& options = {}) const;
  absl::StatusOr<v1::MetaSaliencyResponse> MetaSaliency(
      v1::MetaSaliencyRequest request, const CallOptions& options = {}) const;
  absl::StatusOr<v1::MeasureClassSensitivityResponse> MeasureClassSensitivity(
      const v1::MeasureClassSensitivityRequest& request,
      const CallOptions& options = {}) const;
  // Stage by stage, on this thread; `take` returns whether it wants more.  The
  // timeout is that of all stages.  A server that is busy with other studies
  // and pushes back is asked again until the timeout has passed (but with
  // RetryOptions::max_attempts 1).  Once a stage has come there is no retry.
  // Errors also: CANCELLED `take` wanted no more.
  using TakeWeightStage =
      std::function<bool(v1::MeasureWeightSensitivityResponse stage)>;
  absl::Status MeasureWeightSensitivity(
      v1::MeasureWeightSensitivityRequest request, const TakeWeightStage& take,
      const CallOptions& options = {}) const;
  // Many questions over StreamSaliency: takes them from `next` as its window
  // has room, and hands each one's answer to `take` exactly once; both run on
  // this thread.  A question that the server pushes back or cannot serve now,
  // or that is lost with a server, is asked again within its timeout and the
  // limits of RetryOptions.  Returns when `next` has no more, or `take` wants
  // none, and all are answered.
  // Errors: why no server could be asked further, as of the calls above; the
  //   questions on their way get it too.  What concerns one question goes to
  //   `take` alone.
  absl::Status Stream(const NextQuestion& next, const TakeAnswer& take,
                      const BulkOptions& options = {}) const;
  absl::StatusOr<v1::ListModelsResponse> ListModels(
      const v1::ListModelsRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<v1::GetModelResponse> GetModel(
      const v1::GetModelRequest& request,
      const CallOptions& options = {}) const;
  // Streams labelled images to the server until `next` has no more, and waits
  // for the weights.  `next` runs on a thread of its own; `on_news`, which gets
  // progress and rejected images, never twice at once.  Without a timeout in
  // `options` it takes as long as it takes.
  // Errors also: PERMISSION_DENIED the server allows no calibration; ABORTED
  //   another one of this version is under way.
  absl::StatusOr<v1::CalibrationResult> CalibrateLayerWeights(
      const v1::CalibrationSettings& settings, const NextLabelledImage& next,
      const CalibrationNews& on_news, const CallOptions& options = {}) const;
  // Errors also: NOT_FOUND the server does not know that name.
  absl::StatusOr<grpc::health::v1::HealthCheckResponse> CheckHealth(
      const grpc::health::v1::HealthCheckRequest& request,
      const CallOptions& options = {}) const;

 private:
  // How to reach the servers.
  struct Channels {
    std::shared_ptr<grpc::Channel> images;
    std::shared_ptr<grpc::Channel> questions;
    std::string authorization;  // metadata of each call; empty: none
  };

  SaliencyClient(Channels channels, ClientOptions options);

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(
      Stub& stub,
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                   Response*),
      const Request& request, const CallOptions& options) const;
  // Errors: INVALID_ARGUMENT above max_send_bytes.
  absl::Status CheckSize(const google::protobuf::MessageLite& request) const;
  // With the caller's authorization, and a deadline if there is a timeout.
  std::shared_ptr<grpc::ClientContext> NewContext(absl::Duration timeout) const;
  absl::Status ToAbsl(const grpc::Status& status, absl::Duration timeout) const;

  // Constant after construction; stubs and channel synchronize themselves.
  const ClientOptions options_;
  const Channels channels_;
  const std::unique_ptr<v1::SaliencyService::Stub> saliency_;
  const std::unique_ptr<v1::ModelService::Stub> models_;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_SALIENCY_CLIENT_H_
