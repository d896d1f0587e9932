// What SaliencyClient::Stream asks again, and when it gives up: questions that
// are pushed back, streams that break, servers that go.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>

#include "client/saliency_client.h"
#include "tests/client/fake_server.h"
#include "tests/client/stream_asker.h"

namespace saliency::stream_retry_test {
namespace {

using ::testing::HasSubstr;
using Question = v1::StreamSaliencyRequest;

TEST(StreamTest, WhatIsPushedBackIsAskedAgainAfterTheDelay) {
  const FakeServer server(
      nullptr, nullptr, nullptr,
      RefuseFirst(1, absl::StatusCode::kResourceExhausted, 200));
  const absl::Time start = absl::Now();
  Asker asker(10);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  asker.ExpectAllAnswered();
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(190))
      << "our own delay would have been 5 ms";
  EXPECT_EQ(server.streams(), 1);
}

TEST(StreamTest, WhatIsUnavailableIsAskedAgainUpToTheLimit) {
  const FakeServer server(
      nullptr, nullptr, nullptr,
      RefuseFirst(4, absl::StatusCode::kUnavailable, std::nullopt));
  Asker asker(3);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  asker.ExpectAllAnswered();
  ClientOptions options = OptionsFor({server.address()});
  options.channel.retry.max_attempts = 4;
  Asker impatient(3);
  EXPECT_TRUE(impatient.Run(*SaliencyClient::Connect(options).value()).ok());
  EXPECT_EQ(impatient.status(1), absl::UnavailableError("not now"));
}

TEST(StreamTest, WhatIsRefusedForGoodIsNotAskedAgain) {
  const FakeServer server(
      nullptr, nullptr, nullptr,
      RefuseFirst(1, absl::StatusCode::kResourceExhausted, std::nullopt));
  Asker asker(2);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(asker.status(0)));
  const FakeServer other(
      nullptr, nullptr, nullptr,
      RefuseFirst(1, absl::StatusCode::kInternal, std::nullopt));
  Asker another(2);
  EXPECT_TRUE(another.Run(*ClientOf(other)).ok());
  EXPECT_TRUE(absl::IsInternal(another.status(1)));
}

TEST(StreamTest, AStreamThatBreaksIsTakenUpAgainWhereItStopped) {
  std::atomic<int> answered = 0;
  const FakeServer server(
      nullptr, nullptr, nullptr,
      [&](grpc::ServerContext&, FakeServer::Answers& answers) {
        // Each call answers three questions and loses the others.
        Question question;
        for (int i = 0; i < 3; ++i) {
          if (!answers.Read(&question)) return grpc::Status::OK;
          answers.Write(Echo(question));
          ++answered;
        }
        answers.Read(&question);
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going");
      });
  Asker asker(20);
  EXPECT_TRUE(asker.Run(*ClientOf(server), {.window = 7}).ok());
  asker.ExpectAllAnswered();
  EXPECT_EQ(asker.asked(), 20);
  EXPECT_EQ(answered, 20) << "what was answered is not asked again";
  EXPECT_EQ(server.streams(), 7);
}

TEST(StreamTest, AnotherServerTakesOver) {
  FakeServer leaving(nullptr, nullptr, nullptr,
                     [](grpc::ServerContext&, FakeServer::Answers& answers) {
                       Question question;
                       answers.Read(&question);
                       return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                           "the server is shutting down");
                     });
  const FakeServer staying(nullptr, nullptr, nullptr,
                           RefuseFirst(0, absl::StatusCode::kOk, std::nullopt));
  const auto client = SaliencyClient::Connect(
                          OptionsFor({leaving.address(), staying.address()}))
                          .value();
  Asker asker(50);
  EXPECT_TRUE(asker.Run(*client).ok());
  asker.ExpectAllAnswered();
}

TEST(StreamTest, AServerThatOnlyBreaksIsGivenUp) {
  const FakeServer server(nullptr, nullptr, nullptr,
                          [](grpc::ServerContext&, FakeServer::Answers&) {
                            return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                                "not here");
                          });
  Asker asker(100);
  const absl::Status status = asker.Run(*ClientOf(server), {.window = 4});
  EXPECT_EQ(status, absl::UnavailableError("not here"));
  EXPECT_EQ(asker.asked(), 4);
  EXPECT_EQ(asker.status(3), status) << "what was on its way is told";
  EXPECT_EQ(server.streams(), 5);
}

TEST(StreamTest, WhatConcernsTheCallEndsItAtOnce) {
  const FakeServer server(nullptr, nullptr, nullptr,
                          [](grpc::ServerContext&, FakeServer::Answers&) {
                            return grpc::Status(
                                grpc::StatusCode::UNAUTHENTICATED, "no token");
                          });
  Asker asker(10);
  EXPECT_EQ(asker.Run(*ClientOf(server)),
            absl::UnauthenticatedError("no token"));
  EXPECT_EQ(server.streams(), 1);
}

TEST(StreamTest, AServerThatForgetsQuestionsIsAtFault) {
  const FakeServer server(
      nullptr, nullptr, nullptr,
      [](grpc::ServerContext&, FakeServer::Answers& answers) {
        Question question;
        answers.Read(&question);
        return grpc::Status::OK;
      });
  Asker asker(1);
  const absl::Status status = asker.Run(*ClientOf(server));
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("1 questions unanswered"));
}

TEST(StreamTest, UnreachableServersAreNamed) {
  std::string address;
  {
    const FakeServer gone;
    address = gone.address();
  }
  Asker asker(3);
  const auto client = SaliencyClient::Connect(OptionsFor({address})).value();
  EXPECT_EQ(asker.Run(*client),
            absl::UnavailableError("cannot reach " + address));
}

}  // namespace
}  // namespace saliency::stream_retry_test
