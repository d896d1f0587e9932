// Whose connections are reset when too many calls are held: the decision by
// itself, and real connections whose peers never end their calls, or reset them
// as soon as they are begun.

#include "server/transport/held_calls_watch.h"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/http2_peer.h"
#include "tests/server/test_server.h"

namespace saliency::held_calls_watch_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr absl::Duration kShort = absl::Milliseconds(200);
constexpr char kCompute[] = "/saliency.v1.SaliencyService/ComputeSaliency";
constexpr char kAttacker[] = "127.0.0.66";

std::vector<std::string> Over(const std::vector<HeldCalls>& held,
                              const HeldCallsLimits& limits) {
  std::vector<std::string> names;
  for (const HeldCalls& one : OverLimits(held, limits)) {
    names.push_back(one.connection);
  }
  return names;
}

TEST(OverLimitsTest, AsManyAsMayBeAreLeftAlone) {
  EXPECT_THAT(Over({}, {}), IsEmpty());
  EXPECT_THAT(Over({{"a:1", "a", 10}, {"a:2", "a", 10}, {"b:1", "b", 5}},
                   {.per_connection = 10, .total = 25}),
              IsEmpty());
}

TEST(OverLimitsTest, AConnectionWithMoreThanItsShareGoes) {
  EXPECT_THAT(Over({{"a:1", "a", 10}, {"a:2", "a", 11}, {"b:1", "b", 5}},
                   {.per_connection = 10, .total = 100}),
              ElementsAre("a:2"));
}

TEST(OverLimitsTest, OfTooManyInAllTheLargestOfTheLargestPeerGo) {
  // b has the largest connection, but a has more.
  const std::vector<HeldCalls> held = {{"a:1", "a", 7, 1},
                                       {"b:1", "b", 10, 1},
                                       {"a:2", "a", 9, 1},
                                       {"c:1", "c", 1, 1}};
  EXPECT_THAT(Over(held, {.per_connection = 10, .total = 26}),
              ElementsAre("a:2"));
  // Without a:2, b is the largest; without both, a again.
  EXPECT_THAT(Over(held, {.per_connection = 10, .total = 10}),
              ElementsAre("a:2", "b:1"));
  EXPECT_THAT(Over(held, {.per_connection = 10, .total = 4}),
              ElementsAre("a:2", "b:1", "a:1"));
}

TEST(OverLimitsTest, NobodyPaysForWhatGoesOrWent) {
  EXPECT_THAT(Over({{"a:1", "a", 11}, {"a:2", "", 5}, {"b:1", "b", 10}},
                   {.per_connection = 10, .total = 15}),
              ElementsAre("a:1"));
}

TEST(OverLimitsTest, BeyondTwiceTheRoomStrangersGo) {
  std::vector<HeldCalls> held = {
      {"a:1", "", 79, 9}, {"b:1", "b", 1, 1}, {"c:1", "c", 0, 0}};
  EXPECT_THAT(Over(held, {.per_connection = 10, .total = 40}), IsEmpty());
  held.front().calls = 80;
  EXPECT_THAT(Over(held, {.per_connection = 10, .total = 40}),
              ElementsAre("c:1"));
}

std::unique_ptr<TestServer> Listen(const HeldCallsLimits& limits) {
  TestServer::Options options;
  options.listen.address = "127.0.0.1:0";
  options.held_calls = limits;
  options.allow_calibration = true;
  auto server = std::make_unique<TestServer>(std::move(options));
  server->AddFakeModel();
  return server;
}

int64_t Resets(TestServer& server) {
  return server.grpc_server().acceptor()->counts().reset;
}

// A peer that begins calls, the headers of each being the same.
class Beginner {
 public:
  Beginner(const TestServer& server, const std::string& path,
           const std::string& from = kAttacker)
      : peer_(server.port(), from), headers_(CallHeaders(path)) {
    peer_.Greet();
  }

  void Begin(int calls) {
    for (; calls > 0; --calls) peer_.Send(NextHeaders());
  }
  void BeginAndReset(int calls) {
    std::string bytes;
    for (; calls > 0; --calls) {
      const Frame headers = NextHeaders();
      const Frame reset = {.type = FrameType::kRstStream,
                           .stream = headers.stream,
                           .payload = std::string("\0\0\0\x8", 4)};
      absl::StrAppend(&bytes, FrameBytes(headers), FrameBytes(reset));
    }
    peer_.Send(bytes);
  }
  // Takes what the server sent; whether it has hung up by then.
  bool Ended(absl::Duration idle_timeout) {
    while (peer_.Read(idle_timeout).has_value()) {
    }
    return peer_.ended();
  }
  bool AwaitEnd() { return peer_.AwaitEnd(kPatience); }

 private:
  Frame NextHeaders() {
    constexpr uint8_t kEndHeaders = 4;
    return {.type = FrameType::kHeaders,
            .flags = kEndHeaders,
            .stream = 2 * begun_++ + 1,
            .payload = headers_};
  }

  Http2Peer peer_;
  const std::string headers_;
  uint32_t begun_ = 0;
};

std::unique_ptr<v1::SaliencyService::Stub> Caller(const TestServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::SaliencyService::NewStub(
      grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server.port()),
                                grpc::InsecureChannelCredentials(), arguments));
}

grpc::Status Ask(v1::SaliencyService::Stub& stub) {
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  return stub.ComputeSaliency(&context, FakeRequest(), &response);
}

class EndlessCallsTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(
    Paths, EndlessCallsTest,
    testing::Values(kCompute, "/saliency.v1.SaliencyService/StreamSaliency",
                    "/saliency.v1.ModelService/CalibrateLayerWeights",
                    "/grpc.health.v1.Health/Check",
                    "/grpc.health.v1.Health/Watch",
                    "/grpc.reflection.v1.ServerReflection/"
                    "ServerReflectionInfo"));

TEST_P(EndlessCallsTest, TheirPeerIsHungUpOn) {
  const auto server = Listen({.per_connection = 20});
  Beginner peer(*server, GetParam());
  peer.Begin(20);
  EXPECT_FALSE(peer.Ended(kShort)) << "so many may be";
  EXPECT_EQ(Resets(*server), 0);
  peer.Begin(20);
  EXPECT_TRUE(peer.AwaitEnd());
  EXPECT_EQ(Resets(*server), 1);
  EXPECT_THAT(server->log_lines(),
              Contains(HasSubstr("begins calls faster than they end")));
  EXPECT_TRUE(server->tracker().AwaitEmpty(absl::Now() + kPatience));
}

class ResetCallsTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(
    Paths, ResetCallsTest,
    testing::Values(kCompute, "/saliency.v1.SaliencyService/NobodyServesThis"));

TEST_P(ResetCallsTest, TheirPeerIsHungUpOnAndHasNoRoom) {
  const auto server = Listen({.per_connection = 20});
  Beginner peer(*server, GetParam());
  const absl::Time patience = absl::Now() + kPatience;
  while (!peer.Ended(absl::ZeroDuration()) && absl::Now() < patience) {
    peer.BeginAndReset(1000);
  }
  EXPECT_EQ(Resets(*server), 1);
  Beginner again(*server, GetParam());
  EXPECT_TRUE(again.AwaitEnd());
  EXPECT_EQ(server->grpc_server().acceptor()->counts().refused_peer, 1);
  EXPECT_TRUE(Ask(*Caller(*server)).ok()) << "others are served";
  EXPECT_TRUE(server->tracker().AwaitEmpty(absl::Now() + kPatience));
}

TEST(HeldCallsWatchTest, OfTooManyInAllOneOfTheLargestPeerIsReset) {
  const auto server = Listen({.per_connection = 40, .total = 60});
  Beginner modest(*server, kCompute, "127.0.0.3");
  Beginner first(*server, kCompute);
  Beginner second(*server, kCompute);
  modest.Begin(20);
  first.Begin(30);
  EXPECT_FALSE(first.Ended(kShort));
  second.Begin(31);
  while (Resets(*server) == 0) std::this_thread::yield();
  EXPECT_NE(first.Ended(kShort), second.Ended(kShort));
  EXPECT_FALSE(modest.Ended(kShort));
  EXPECT_EQ(Resets(*server), 1);
}

bool Told(const TestServer& server, const std::string& text) {
  const std::vector<std::string> lines = server.log_lines();
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return absl::StrContains(line, text);
  });
}

TEST(HeldCallsWatchTest, NobodyMayConnectWhileTooMuchIsHeld) {
  const auto server = Listen({.per_connection = 1000, .total = 500});
  {
    // Calls of connections that have gone are held too, until they end.
    Beginner peer(*server, kCompute);
    peer.Begin(1000);
    EXPECT_TRUE(peer.AwaitEnd());
  }
  while (!Told(*server, "may connect again")) std::this_thread::yield();
  EXPECT_THAT(server->log_lines(), Contains(HasSubstr("nobody may connect")));
  EXPECT_TRUE(Ask(*Caller(*server)).ok());
}

// The control of the tests above: calls that end are not held.
TEST(HeldCallsWatchTest, ManyCallsOneAfterAnotherAreLeftAlone) {
  const auto server = Listen({.per_connection = 4, .total = 4});
  const auto stub = Caller(*server);
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(Ask(*stub).ok());
  EXPECT_EQ(Resets(*server), 0);
}

}  // namespace
}  // namespace saliency::held_calls_watch_test
