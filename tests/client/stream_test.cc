// SaliencyClient::Stream: many questions, each answered once, within their
// window, their time and until they are called off.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/saliency_client.h"
#include "core/base/cancel_token.h"
#include "tests/client/fake_server.h"
#include "tests/client/stream_asker.h"

namespace saliency::stream_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Question = v1::StreamSaliencyRequest;
using Answer = v1::StreamSaliencyResponse;

TEST(StreamTest, ManyQuestionsGoOverOneCallAndComeBackOnce) {
  const FakeServer server([](auto&, const v1::ComputeSaliencyRequest& request,
                             v1::ComputeSaliencyResponse& response) {
    response.mutable_summary()->mutable_model()->set_name(
        request.model().name());
    return grpc::Status::OK;
  });
  Asker asker(500);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  asker.ExpectAllAnswered();
  EXPECT_EQ(asker.asked(), 500);
  EXPECT_EQ(server.streams(), 1);
}

TEST(StreamTest, NoQuestionsMeanNoCall) {
  const FakeServer server;
  Asker asker(0);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  EXPECT_EQ(server.streams(), 0);
}

// Tells twice how far a question is that wants to know, then echoes it.
FakeServer::Stream TellThenEcho() {
  return [](grpc::ServerContext&, FakeServer::Answers& answers) {
    Question question;
    while (answers.Read(&question)) {
      for (int64_t done = 1; question.progress() && done <= 2; ++done) {
        Answer news;
        news.set_id(question.id());
        news.mutable_progress()->set_done(done);
        news.mutable_progress()->set_total(3);
        answers.Write(news);
      }
      answers.Write(Echo(question));
    }
    return grpc::Status::OK;
  };
}

TEST(StreamTest, WhoeverAsksHearsHowFarQuestionsAre) {
  const FakeServer server(nullptr, nullptr, nullptr, TellThenEcho());
  std::vector<std::string> heard;
  Asker asker(2);
  const absl::Status status = asker.Run(
      *ClientOf(server),
      {.window = 1,
       .on_progress = [&](int64_t index, const v1::SampleProgress& progress) {
         heard.push_back(
             absl::StrCat(index, ": ", progress.done(), "/", progress.total()));
       }});
  EXPECT_TRUE(status.ok()) << status;
  asker.ExpectAllAnswered();
  EXPECT_THAT(heard, ElementsAre("0: 1/3", "0: 2/3", "1: 1/3", "1: 2/3"));
}

TEST(StreamTest, WhoeverDoesNotAskHearsAnswersAlone) {
  const FakeServer server(nullptr, nullptr, nullptr, TellThenEcho());
  Asker asker(2);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  asker.ExpectAllAnswered();
}

TEST(StreamTest, NoMoreThanTheWindowIsAsked) {
  std::atomic<int> most = 0;
  const FakeServer server(
      nullptr, nullptr, nullptr,
      [&](grpc::ServerContext&, FakeServer::Answers& answers) {
        // Answers when nothing more comes for want of answers.
        std::vector<Question> held;
        Question question;
        while (answers.Read(&question)) {
          held.push_back(question);
          most = std::max<int>(most, static_cast<int>(held.size()));
          if (held.size() < 3) continue;
          for (const Question& one : held) answers.Write(Echo(one));
          held.clear();
        }
        return grpc::Status::OK;
      });
  Asker asker(30);
  EXPECT_TRUE(asker.Run(*ClientOf(server), {.window = 3}).ok());
  asker.ExpectAllAnswered();
  EXPECT_EQ(most, 3);
  EXPECT_EQ(asker.most_held(), 3);
}

// Answers every two questions in reverse.
grpc::Status SwapPairs(grpc::ServerContext&, FakeServer::Answers& answers) {
  Question first;
  Question second;
  while (answers.Read(&first) && answers.Read(&second)) {
    answers.Write(Echo(second));
    answers.Write(Echo(first));
  }
  return grpc::Status::OK;
}

TEST(StreamTest, AnswersAreHandedOutAsTheyComeOrInOrder) {
  const FakeServer server(nullptr, nullptr, nullptr, SwapPairs);
  Asker as_they_come(4);
  EXPECT_TRUE(as_they_come.Run(*ClientOf(server)).ok());
  EXPECT_THAT(as_they_come.order(), ElementsAre(1, 0, 3, 2));
  Asker in_order(4);
  EXPECT_TRUE(in_order.Run(*ClientOf(server), {.in_order = true}).ok());
  EXPECT_THAT(in_order.order(), ElementsAre(0, 1, 2, 3));
  in_order.ExpectAllAnswered();
}

TEST(StreamTest, AFailedQuestionConcernsNoOther) {
  const FakeServer server([](auto&, const v1::ComputeSaliencyRequest& request,
                             v1::ComputeSaliencyResponse& response) {
    response.mutable_summary()->mutable_model()->set_name(
        request.model().name());
    if (request.model().name() != "1") return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such model");
  });
  Asker asker(3);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  EXPECT_TRUE(asker.status(0).ok());
  EXPECT_EQ(asker.status(1), absl::NotFoundError("no such model"));
  EXPECT_TRUE(asker.status(2).ok());
}

grpc::Status ReadForEver(grpc::ServerContext&, FakeServer::Answers& answers) {
  Question question;
  while (answers.Read(&question)) continue;
  return grpc::Status::OK;
}

TEST(StreamTest, AQuestionThatIsNotAnsweredInTimeIsGivenUp) {
  const FakeServer server(nullptr, nullptr, nullptr, ReadForEver);
  Asker asker(2);
  EXPECT_TRUE(
      asker.Run(*ClientOf(server), {.timeout = absl::Milliseconds(100)}).ok());
  EXPECT_EQ(asker.status(0),
            absl::DeadlineExceededError(absl::StrCat(
                "no answer from ", server.address(), " within 100ms")));
}

TEST(StreamTest, TheServerIsToldHowLongAQuestionMayTake) {
  std::atomic<double> seconds = 0;
  const FakeServer server(
      nullptr, nullptr, nullptr,
      [&](grpc::ServerContext&, FakeServer::Answers& answers) {
        Question question;
        while (answers.Read(&question)) {
          seconds = question.timeout_seconds();
          answers.Write(Echo(question));
        }
        return grpc::Status::OK;
      });
  Asker asker(1);
  EXPECT_TRUE(
      asker.Run(*ClientOf(server), {.timeout = absl::Seconds(20)}).ok());
  EXPECT_GT(seconds, 10);
  EXPECT_LE(seconds, 20);
}

TEST(StreamTest, CancellingTheTokenEndsAllOfIt) {
  const auto cancel = std::make_shared<CancelToken>();
  const FakeServer server(
      nullptr, nullptr, nullptr,
      [&](grpc::ServerContext& context, FakeServer::Answers& answers) {
        Question question;
        answers.Read(&question);
        Question second;  // which is on the way when the first is answered
        answers.Read(&second);
        answers.Write(Echo(question));
        return ReadForEver(context, answers);
      });
  Asker asker(100);
  asker.on_answer = [&] { cancel->Cancel(); };
  EXPECT_TRUE(absl::IsCancelled(
      asker.Run(*ClientOf(server), {.window = 4, .cancel = cancel})));
  EXPECT_TRUE(asker.status(0).ok());
  EXPECT_TRUE(absl::IsCancelled(asker.status(asker.asked() - 1)));
  EXPECT_EQ(static_cast<int>(asker.order().size()), asker.asked());
}

TEST(StreamTest, ATokenThatWasCancelledBeforeAsksNothing) {
  const FakeServer server;
  const auto cancel = std::make_shared<CancelToken>();
  cancel->Cancel();
  Asker asker(3);
  EXPECT_TRUE(
      absl::IsCancelled(asker.Run(*ClientOf(server), {.cancel = cancel})));
  EXPECT_EQ(asker.asked(), 0);
}

TEST(StreamTest, WhoWantsNoMoreIsStillToldOfWhatWasAsked) {
  const FakeServer server(nullptr, nullptr, nullptr,
                          RefuseFirst(0, absl::StatusCode::kOk, std::nullopt));
  Asker asker(1000);
  asker.stop_after = 5;
  EXPECT_TRUE(asker.Run(*ClientOf(server), {.window = 8}).ok());
  EXPECT_LT(asker.asked(), 5 + 8);
  asker.ExpectAllAnswered();
}

TEST(StreamTest, AQuestionAboveTheMessageLimitIsNotSent) {
  const FakeServer server;
  bool asked = false;
  absl::Status heard;
  const absl::Status status = ClientOf(server)->Stream(
      [&]() -> std::optional<Question> {
        if (std::exchange(asked, true)) return std::nullopt;
        Question question;
        question.mutable_compute()->mutable_input()->set_image(
            std::string(33 << 20, 'x'));
        return question;
      },
      [&](int64_t, absl::StatusOr<Answer> answer) {
        heard = answer.status();
        return true;
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(absl::IsInvalidArgument(heard));
  EXPECT_THAT(std::string(heard.message()), HasSubstr("limit of 33554432"));
}

TEST(StreamTest, AWindowBelowOneIsRefused) {
  const FakeServer server;
  Asker asker(1);
  EXPECT_TRUE(
      absl::IsInvalidArgument(asker.Run(*ClientOf(server), {.window = 0})));
}

}  // namespace
}  // namespace saliency::stream_test
