// Peers that keep the server waiting: slow, stalled, silent or gone.

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "tests/server/http2_peer.h"
#include "tests/server/test_server.h"

namespace saliency::connection_limits_test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr absl::Duration kShort = absl::Milliseconds(200);

std::unique_ptr<TestServer> Listen(const ConnectionLimits& limits,
                                   absl::Duration send_timeout) {
  TestServer::Options options;
  options.listen = {.address = "127.0.0.1:0", .connections = limits};
  options.send_timeout = send_timeout;
  auto server = std::make_unique<TestServer>(options);
  server->AddFakeModel();
  return server;
}

// A call whose client decides what to send, and whether to read at all.
class LazyCall {
 public:
  explicit LazyCall(int port)
      : stub_(grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                                  grpc::InsecureChannelCredentials())),
        call_(stub_.PrepareCall(&context_,
                                "/saliency.v1.SaliencyService/ComputeSaliency",
                                &queue_)) {
    call_->StartCall(nullptr);
    Await();
  }
  ~LazyCall() {
    context_.TryCancel();
    if (!finished_) Finish();
    queue_.Shutdown();
  }

  // The whole request, and no more.
  void Send(const v1::ComputeSaliencyRequest& request) {
    const grpc::Slice slice(request.SerializeAsString());
    call_->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(),
                     nullptr);
    Await();
  }
  // Waits for the end, without taking any answer.
  grpc::Status Finish() {
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Await();
    finished_ = true;
    return status;
  }

 private:
  void Await() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool finished_ = false;
};

// An answer of 9 MB, far beyond what the window of a stream takes.
v1::ComputeSaliencyRequest RequestForALargeAnswer() {
  v1::ComputeSaliencyRequest request = FakeRequest();
  v1::Size* size = request.mutable_output()->mutable_explicit_size();
  size->set_height(1500);
  size->set_width(1500);
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_FLOAT32);
  request.mutable_output()->set_max_answer_bytes(64 << 20);
  return request;
}

// Whether the server still holds a call.
bool Empty(TestServer& server, absl::Duration idle_timeout) {
  return server.tracker().AwaitEmpty(absl::Now() + idle_timeout);
}

void AwaitAnswered(const TestServer& server) {
  while (server.Metric("saliency_requests_total") == 0) {
    std::this_thread::yield();
  }
}

TEST(ConnectionLimitsTest, AClientThatNeverReadsLosesItsAnswerInTime) {
  const auto server = Listen({}, kShort);
  LazyCall call(server->port());
  call.Send(RequestForALargeAnswer());
  AwaitAnswered(*server);
  EXPECT_TRUE(Empty(*server, kPatience));
  EXPECT_THAT(server->log_lines(),
              Contains(HasSubstr("the caller does not take its answer")));
  // gRPC tells a client of the end behind what it has not read: not at all.
}

// The control of the test above: it is the limit that ends such a call.
TEST(ConnectionLimitsTest, WithoutTheLimitSuchAnAnswerStays) {
  const auto server = Listen({}, absl::ZeroDuration());
  {
    LazyCall call(server->port());
    call.Send(RequestForALargeAnswer());
    AwaitAnswered(*server);
    EXPECT_FALSE(Empty(*server, 5 * kShort));
  }
  EXPECT_TRUE(Empty(*server, kPatience)) << "the client has gone";
}

TEST(ConnectionLimitsTest, AnswersThatAreTakenAreLeftAlone) {
  const auto server = Listen({}, absl::Seconds(30));
  const auto stub = v1::SaliencyService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server->port()),
                          grpc::InsecureChannelCredentials()));
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    v1::ComputeSaliencyResponse response;
    EXPECT_TRUE(stub->ComputeSaliency(&context, FakeRequest(), &response).ok());
  }
  EXPECT_TRUE(Empty(*server, kPatience));
}

// No handler sees a request before it is whole: only the connection's age
// bounds it.
TEST(ConnectionLimitsTest, ARequestThatNeverEndsGoesWithItsConnection) {
  const auto server =
      Listen({.max_age = kShort, .max_age_grace = kShort}, kShort);
  const absl::Time start = absl::Now();
  LazyCall call(server->port());
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_LT(absl::Now() - start, kPatience);
  EXPECT_GT(absl::Now() - start, kShort);
}

TEST(ConnectionLimitsTest, AConnectionThatSaysNothingIsClosed) {
  const auto server = Listen({.handshake_timeout = kShort}, kShort);
  Http2Peer peer(server->port());
  EXPECT_TRUE(peer.AwaitEnd(kPatience));
}

TEST(ConnectionLimitsTest, APeerThatDoesNotAnswerPingsIsGivenUp) {
  const auto server =
      Listen({.keepalive_time = kShort, .keepalive_timeout = kShort}, kShort);
  Http2Peer peer(server->port());
  peer.Greet();
  bool asked = false;
  while (const std::optional<Frame> frame = peer.Read(kPatience)) {
    asked = asked || frame->type == FrameType::kPing;
  }
  EXPECT_TRUE(asked);
  EXPECT_TRUE(peer.ended());
}

TEST(ConnectionLimitsTest, AConnectionWithoutCallsIsClosed) {
  const auto server = Listen({.max_idle = kShort}, kShort);
  Http2Peer peer(server->port());
  peer.Greet();
  bool told = false;
  while (const std::optional<Frame> frame = peer.Read(kPatience)) {
    told = told || frame->type == FrameType::kGoAway;
    constexpr uint8_t kAck = 1;
    if (frame->type == FrameType::kPing && frame->flags != kAck) {
      peer.Send(Frame{
          .type = FrameType::kPing, .flags = kAck, .payload = frame->payload});
    }
  }
  EXPECT_TRUE(told);
  EXPECT_TRUE(peer.ended());
}

TEST(ConnectionLimitsTest, TheNumberOfCallsOfAConnectionIsTold) {
  const auto server = Listen({.max_streams = 7}, kShort);
  Http2Peer peer(server->port());
  peer.Greet();
  std::string settings;
  while (const std::optional<Frame> frame = peer.Read(kPatience)) {
    if (frame->type != FrameType::kSettings) continue;
    settings = frame->payload;
    break;
  }
  // Setting 3, MAX_CONCURRENT_STREAMS: two bytes of name, four of value.
  EXPECT_THAT(settings, HasSubstr(std::string("\x00\x03\x00\x00\x00\x07", 6)));
}

}  // namespace
}  // namespace saliency::connection_limits_test
