// What is held of requests that have not come whole: real connections, and
// callers that stop half way.

#include "server/transport/upload_watch.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/http2_peer.h"
#include "tests/server/raw_call.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::upload_watch_test {
namespace {

using grpc::StatusCode;

constexpr char kCompute[] = "/saliency.v1.SaliencyService/ComputeSaliency";
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kEndHeaders = 4;
// Within what a stream and a connection may send before they are asked for
// more.
constexpr size_t kStalledBytes = 60'000;

std::unique_ptr<TestServer> Listen(TestServer::Options options) {
  if (options.listen.address.empty()) options.listen.address = "127.0.0.1:0";
  auto server = std::make_unique<TestServer>(std::move(options));
  server->AddFakeModel();
  return server;
}

std::shared_ptr<grpc::Channel> ChannelTo(const TestServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server.port()),
                                   grpc::InsecureChannelCredentials(),
                                   arguments);
}

// The beginning of a call, as it would be sent.
class Upload {
 public:
  Upload(int port, const std::string& path, const std::string& from)
      : peer_(port, from) {
    peer_.Greet();
    peer_.Send(Frame{.type = FrameType::kHeaders,
                     .flags = kEndHeaders,
                     .stream = 1,
                     .payload = CallHeaders(path)});
  }

  void Send(const std::string& bytes, bool end = false) {
    constexpr size_t kFrameBytes = 16384;
    for (size_t at = 0; at < bytes.size(); at += kFrameBytes) {
      const bool last = end && at + kFrameBytes >= bytes.size();
      peer_.Send(Frame{.type = FrameType::kData,
                       .flags = last ? kEndStream : uint8_t{0},
                       .stream = 1,
                       .payload = bytes.substr(at, kFrameBytes)});
    }
  }
  // Of a message of a megabyte, once the server awaits it.
  void StallWhenAwaited(UploadWatch& watch, int awaited) {
    while (watch.awaited() < awaited) std::this_thread::yield();
    Send(MessagePrefix(1 << 20) + std::string(kStalledBytes, 0));
  }
  // Whether the server ends the call, sooner or later.
  bool AwaitEnd() {
    while (const auto frame = peer_.Read()) {
      if (frame->type == FrameType::kHeaders &&
          (frame->flags & kEndStream) != 0) {
        return true;
      }
    }
    return false;
  }

 private:
  Http2Peer peer_;
};

double Ended(const TestServer& server) {
  return server.Metric("saliency_refused_total", {{"reason", "uploads_full"}});
}

// At an address of either family.
class UploadWatchAtTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Addresses, UploadWatchAtTest,
                         testing::Values("127.0.0.1:0", "0.0.0.0:0", "[::]:0"));

TEST_P(UploadWatchAtTest, WhoHoldsTheMostIsEndedAndOthersGoOn) {
  const auto server =
      Listen({.listen = {.address = GetParam()}, .upload_bytes = 200'000});
  // The oldest, and slow.
  const std::string question = FakeRequest().SerializeAsString();
  const std::string message =
      MessagePrefix(static_cast<uint32_t>(question.size())) + question;
  Upload slow(server->port(), kCompute, "127.0.0.1");
  slow.Send(message.substr(0, message.size() / 2));
  std::vector<std::unique_ptr<Upload>> stalled;
  for (int i = 0; i < 6; ++i) {
    stalled.push_back(
        std::make_unique<Upload>(server->port(), kCompute, "127.0.0.66"));
  }
  while (server->tracker().uploads().awaited() < 7) std::this_thread::yield();
  for (const auto& upload : stalled) {
    upload->StallWhenAwaited(server->tracker().uploads(), 1);
  }
  // Three of them fit.
  while (Ended(*server) < 3) std::this_thread::yield();
  slow.Send(message.substr(message.size() / 2), /*end=*/true);
  EXPECT_TRUE(slow.AwaitEnd());
  EXPECT_EQ(server->Metric("saliency_requests_total", {{"code", "OK"}}), 1);
  EXPECT_EQ(Ended(*server), 3);
  EXPECT_FALSE(server->tracker().AwaitEmpty(absl::Now())) << "three are left";
}

TEST(UploadWatchTest, EveryKindOfCallIsEnded) {
  const TemporaryFolder folder;
  const auto server = Listen({.upload_bytes = 50'000,
                              .allow_calibration = true,
                              .folder = folder.path()});
  int calls = 0;
  for (const char* name :
       {"SaliencyService/ComputeSaliency", "SaliencyService/StreamSaliency",
        "SaliencyService/MeasureWeightSensitivity", "ModelService/GetModel",
        "ModelService/CalibrateLayerWeights"}) {
    SCOPED_TRACE(name);
    Upload upload(server->port(), absl::StrCat("/saliency.v1.", name),
                  "127.0.0.66");
    upload.StallWhenAwaited(server->tracker().uploads(), 1);
    EXPECT_TRUE(upload.AwaitEnd());
    ++calls;
    while (Ended(*server) < calls) std::this_thread::yield();
  }
  for (const char* path :
       {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}) {
    SCOPED_TRACE(path);
    Upload upload(server->port(), path, "127.0.0.66");
    upload.StallWhenAwaited(server->tracker().uploads(), 1);
    EXPECT_TRUE(upload.AwaitEnd());
  }
}

// A connection carries far more than may be held, message after message, while
// one on it is awaited.
TEST(UploadWatchTest, WhatCameWholeIsNotHeld) {
  const auto server = Listen({.upload_bytes = 50'000});
  const auto channel = ChannelTo(*server);
  RawCall waiting(channel, kCompute);
  const auto stub = v1::SaliencyService::NewStub(channel);
  for (int i = 0; i < 300; ++i) {
    grpc::ClientContext context;
    v1::ComputeSaliencyResponse response;
    ASSERT_TRUE(stub->ComputeSaliency(&context, FakeRequest(), &response).ok());
  }
  waiting.Write(FakeRequest().SerializeAsString());
  waiting.WritesDone();
  EXPECT_TRUE(waiting.Finish().ok());
  EXPECT_EQ(Ended(*server), 0);
}

// The control of the tests above.
TEST(UploadWatchTest, WithinTheLimitStalledRequestsStay) {
  const auto server = Listen({.upload_bytes = 1'000'000});
  Upload stalled(server->port(), kCompute, "127.0.0.66");
  stalled.StallWhenAwaited(server->tracker().uploads(), 1);
  while (server->tracker().AwaitEmpty(absl::Now())) std::this_thread::yield();
  EXPECT_FALSE(
      server->tracker().AwaitEmpty(absl::Now() + absl::Milliseconds(200)));
  EXPECT_EQ(Ended(*server), 0);
}

}  // namespace
}  // namespace saliency::upload_watch_test
