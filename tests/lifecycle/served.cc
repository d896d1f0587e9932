#include "tests/lifecycle/served.h"

#include <filesystem>
#include <utility>

#include "gtest/gtest.h"
#include "saliency/v1/saliency_service.grpc.pb.h"
#include "tests/end_to_end/wire.h"

namespace saliency {
namespace {

constexpr char kNet[] = "tiny_resnet";

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
}

grpc::health::v1::HealthCheckRequest About(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  return request;
}

}  // namespace

void AddModel(ModelFolder& models) { models.AddGolden(kNet, "script", kModel); }

EndlessModel::EndlessModel(const ModelFolder& models, const std::string& config)
    : path_(models.folder() / "a_endless/1/model.pt") {
  models.folder().Write("a_endless/config.pbtxt", config);
  models.folder().Write("a_endless/1/model.pt", "");
  std::filesystem::resize_file(path_, uintmax_t{1} << 40);
}

void EndlessModel::End() { std::filesystem::resize_file(path_, 0); }

std::unique_ptr<ServerProcess> Serve(const ModelFolder& models,
                                     std::vector<std::string> flags) {
  auto server = ServerProcess::Start(
      {.models = models.path(), .flags = std::move(flags)});
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

v1::ComputeSaliencyRequest Question(int rows) {
  const ImageSize size = GoldenInputSize(kNet);
  v1::ComputeSaliencyRequest request;
  request.mutable_model()->set_name(kModel);
  *request.mutable_input() = RandomTensor(/*seed=*/1, size);
  v1::Tensor& tensor = *request.mutable_input()->mutable_tensor();
  const std::string image = tensor.data();
  for (int row = 1; row < rows; ++row) tensor.mutable_data()->append(image);
  const std::vector<int64_t> shape = {rows, 3, size.height, size.width};
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  *request.add_attributions() = At("norm_grad", {"layer3"});
  // A thousand maps would be more than a client receives unless told otherwise.
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_NONE);
  return request;
}

absl::Status AskOnce(const std::shared_ptr<grpc::Channel>& channel,
                     const v1::ComputeSaliencyRequest& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      v1::SaliencyService::NewStub(channel)->ComputeSaliency(&context, request,
                                                             &response);
  return {static_cast<absl::StatusCode>(status.error_code()),
          status.error_message()};
}

HealthCheckResponse::ServingStatus CheckHealth(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  grpc::ClientContext context;
  SetDeadline(context);
  HealthCheckResponse response;
  const grpc::Status status = grpc::health::v1::Health::NewStub(channel)->Check(
      &context, About(service), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status();
}

HealthWatch::HealthWatch(const std::shared_ptr<grpc::Channel>& channel,
                         const std::string& service)
    : stub_(grpc::health::v1::Health::NewStub(channel)) {
  SetDeadline(context_);
  reader_ = stub_->Watch(&context_, About(service));
}

HealthWatch::~HealthWatch() {
  context_.TryCancel();
  reader_->Finish();
}

HealthCheckResponse::ServingStatus HealthWatch::Next() {
  HealthCheckResponse response;
  return reader_->Read(&response) ? response.status()
                                  : HealthCheckResponse::UNKNOWN;
}

}  // namespace saliency
