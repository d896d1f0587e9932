// What the server takes of a request before it knows whose it is, and for how
// long it waits for the rest: real connections, real frames.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/raw_call.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::request_body_test {
namespace {

using grpc::StatusCode;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr char kCompute[] = "/saliency.v1.SaliencyService/ComputeSaliency";
constexpr absl::Duration kShort = absl::Milliseconds(200);
constexpr absl::Duration kPatience = absl::Seconds(60);

std::unique_ptr<TestServer> Listen(TestServer::Options options) {
  options.listen.address = "127.0.0.1:0";
  auto server = std::make_unique<TestServer>(std::move(options));
  server->AddFakeModel();
  return server;
}

std::shared_ptr<grpc::Channel> ChannelTo(const TestServer& server,
                                         bool compress = false) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (compress) arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server.port()),
                                   grpc::InsecureChannelCredentials(),
                                   arguments);
}

// Until the server has seen that there is one.
void AwaitCall(TestServer& server) {
  while (server.tracker().AwaitEmpty(absl::Now())) std::this_thread::yield();
}

// Nothing but headers has been sent: the answer comes all the same.
TEST(RequestBodyTest, AStrangerIsTurnedAwayBeforeItsBody) {
  const TemporaryFolder folder;
  folder.Write("tokens", "sesame\n");
  const auto server = Listen({.token_file = folder / "tokens"});
  for (const char* path :
       {kCompute, "/saliency.v1.SaliencyService/CombineLayers",
        "/saliency.v1.SaliencyService/MetaSaliency",
        "/saliency.v1.SaliencyService/MeasureClassSensitivity",
        "/saliency.v1.SaliencyService/MeasureWeightSensitivity",
        "/saliency.v1.SaliencyService/StreamSaliency",
        "/saliency.v1.ModelService/ListModels",
        "/saliency.v1.ModelService/GetModel",
        "/saliency.v1.ModelService/CalibrateLayerWeights",
        "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}) {
    RawCall call(ChannelTo(*server), path);
    EXPECT_EQ(call.Finish().error_code(), StatusCode::UNAUTHENTICATED) << path;
  }
}

// The control: with a token the same call waits for its body.
TEST(RequestBodyTest, ACallerWithATokenIsAskedForIt) {
  const TemporaryFolder folder;
  folder.Write("tokens", "sesame\n");
  const auto server = Listen({.token_file = folder / "tokens"});
  RawCall call(ChannelTo(*server), kCompute, "sesame");
  AwaitCall(*server);
  EXPECT_FALSE(server->tracker().AwaitEmpty(absl::Now() + kShort));
  call.Write(FakeRequest().SerializeAsString());
  call.WritesDone();
  EXPECT_TRUE(call.Finish().ok());
}

TEST(RequestBodyTest, ABodyThatDoesNotComeEndsItsCallAndIsCounted) {
  const auto server = Listen({.receive_timeout = kShort});
  for (const char* path :
       {kCompute, "/saliency.v1.SaliencyService/MeasureWeightSensitivity",
        "/saliency.v1.ModelService/GetModel"}) {
    RawCall call(ChannelTo(*server), path);
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED) << path;
    EXPECT_THAT(status.error_message(),
                HasSubstr("the request did not come whole within 200ms"));
  }
  EXPECT_TRUE(server->tracker().AwaitEmpty(absl::Now() + kPatience));
  EXPECT_EQ(server->Metric("saliency_requests_total",
                           {{"code", "DEADLINE_EXCEEDED"}}),
            3);
  EXPECT_THAT(server->log_lines(),
              Contains(HasSubstr("the request did not come whole")));
  RawCall watch(ChannelTo(*server), "/grpc.health.v1.Health/Watch");
  EXPECT_EQ(watch.Finish().error_code(), StatusCode::DEADLINE_EXCEEDED);
}

// A stream may be quiet for as long as it likes.
TEST(RequestBodyTest, AStreamIsNotEndedForSayingNothing) {
  const auto server = Listen({.receive_timeout = kShort});
  RawCall call(ChannelTo(*server),
               "/saliency.v1.SaliencyService/StreamSaliency");
  AwaitCall(*server);
  EXPECT_FALSE(server->tracker().AwaitEmpty(absl::Now() + 3 * kShort));
  call.WritesDone();
  EXPECT_TRUE(call.Finish().ok());
}

TEST(RequestBodyTest, CompressedMessagesAreRefusedUnopened) {
  const auto server = Listen({});
  const auto stub = v1::SaliencyService::NewStub(ChannelTo(*server, true));
  v1::ComputeSaliencyRequest request = FakeRequest();
  // A thousandth of its size when it is packed.
  request.mutable_input()->mutable_tensor()->set_data(
      std::string(size_t{64} << 20, '\0'));
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      stub->ComputeSaliency(&context, request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED)
      << status.error_message();
  EXPECT_TRUE(server->tracker().AwaitEmpty(absl::Now() + kPatience));
}

// gRPC turns it away; since the handler was asked first, it is counted.
TEST(RequestBodyTest, ARequestThatIsTooLargeIsRefusedAndCounted) {
  const auto server = Listen({.listen = {.max_message_bytes = 1 << 20}});
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.mutable_input()->mutable_tensor()->set_data(
      std::string(size_t{2} << 20, '\0'));
  const auto stub = v1::SaliencyService::NewStub(ChannelTo(*server));
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  EXPECT_EQ(stub->ComputeSaliency(&context, request, &response).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(server->tracker().AwaitEmpty(absl::Now() + kPatience));
  EXPECT_EQ(server->Metric("saliency_requests_total"), 1);
}

TEST(RequestBodyTest, TooManyCallsAreRefusedAndRoomComesBack) {
  const auto server = Listen({.max_calls = 3});
  const auto channel = ChannelTo(*server);
  std::vector<std::unique_ptr<RawCall>> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(std::make_unique<RawCall>(
        channel, "/saliency.v1.SaliencyService/StreamSaliency"));
  }
  const auto list = [&] {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    return v1::ModelService::NewStub(channel)->ListModels(&context, {},
                                                          &response);
  };
  // The server may not have seen all of them yet.
  grpc::Status status = list();
  while (status.ok()) status = list();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("at most 3"));
  EXPECT_GE(
      server->Metric("saliency_refused_total", {{"reason", "calls_full"}}), 1);
  open.clear();
  EXPECT_TRUE(server->tracker().AwaitEmpty(absl::Now() + kPatience));
  EXPECT_TRUE(list().ok());
}

}  // namespace
}  // namespace saliency::request_body_test
