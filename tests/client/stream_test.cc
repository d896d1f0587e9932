// SaliencyClient::Stream: many questions, each answered once, whatever the
// servers do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/saliency_client.h"
#include "tests/client/fake_server.h"

namespace saliency {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Question = v1::StreamSaliencyRequest;
using Answer = v1::StreamSaliencyResponse;

ClientOptions OptionsFor(const std::vector<std::string>& servers) {
  ClientOptions options;
  options.channel.servers = servers;
  options.channel.retry.initial_backoff = absl::Milliseconds(5);
  options.timeout = absl::Seconds(30);
  return options;
}

std::unique_ptr<SaliencyClient> ClientOf(const FakeServer& server) {
  return SaliencyClient::Connect(OptionsFor({server.address()})).value();
}

// The model that a question names comes back as the model that answered.
Answer Echo(const Question& question) {
  Answer answer;
  answer.set_id(question.id());
  answer.mutable_compute()->set_model(question.compute().model());
  return answer;
}

Answer Refusal(const Question& question, absl::StatusCode code,
               std::optional<int> retry_after_ms = std::nullopt) {
  Answer answer;
  answer.set_id(question.id());
  answer.mutable_status()->set_code(static_cast<int>(code));
  answer.mutable_status()->set_message("not now");
  if (retry_after_ms.has_value()) answer.set_retry_after_ms(*retry_after_ms);
  return answer;
}

// Questions that name the models "0", "1", ..., and what comes of them.
class Asker {
 public:
  explicit Asker(int count) : count_(count) {}

  absl::Status Run(const SaliencyClient& client,
                   const BulkOptions& options = {}) {
    return client.Stream([this] { return Next(); },
                         [this](int64_t index, absl::StatusOr<Answer> answer) {
                           order_.push_back(index);
                           EXPECT_FALSE(answers_.contains(index))
                               << "answered twice";
                           answers_.emplace(index, std::move(answer));
                           on_answer();
                           return static_cast<int>(order_.size()) < stop_after;
                         },
                         options);
  }

  // Expects that each question that was asked has its own answer.
  void ExpectAllAnswered() const {
    EXPECT_EQ(static_cast<int>(answers_.size()), asked_);
    for (const auto& [index, answer] : answers_) {
      ASSERT_TRUE(answer.ok()) << index << ": " << answer.status();
      EXPECT_EQ(answer->compute().model(), absl::StrCat(index));
    }
  }
  absl::Status status(int index) const { return answers_.at(index).status(); }
  const std::vector<int64_t>& order() const { return order_; }
  int asked() const { return asked_; }
  int most_held() const { return most_held_; }

  int stop_after = 1 << 30;
  std::function<void()> on_answer = [] {};

 private:
  std::optional<Question> Next() {
    if (asked_ == count_) return std::nullopt;
    Question question;
    question.mutable_compute()->set_model(absl::StrCat(asked_++));
    most_held_ = std::max(most_held_, asked_ - static_cast<int>(order_.size()));
    return question;
  }

  const int count_;
  int asked_ = 0;
  int most_held_ = 0;
  std::map<int64_t, absl::StatusOr<Answer>> answers_;
  std::vector<int64_t> order_;
};

TEST(StreamTest, ManyQuestionsGoOverOneCallAndComeBackOnce) {
  const FakeServer server([](auto&, const v1::ComputeSaliencyRequest& request,
                             v1::ComputeSaliencyResponse& response) {
    response.set_model(request.model());
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
    response.set_model(request.model());
    if (request.model() != "1") return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such model");
  });
  Asker asker(3);
  EXPECT_TRUE(asker.Run(*ClientOf(server)).ok());
  EXPECT_TRUE(asker.status(0).ok());
  EXPECT_EQ(asker.status(1), absl::NotFoundError("no such model"));
  EXPECT_TRUE(asker.status(2).ok());
}

// Refuses every question so often, then echoes.
FakeServer::Stream RefuseFirst(int times, absl::StatusCode code,
                               std::optional<int> retry_after_ms) {
  return [=](grpc::ServerContext&, FakeServer::Answers& answers) {
    std::map<std::string, int> seen;
    Question question;
    while (answers.Read(&question)) {
      answers.Write(seen[question.id()]++ < times
                        ? Refusal(question, code, retry_after_ms)
                        : Echo(question));
    }
    return grpc::Status::OK;
  };
}

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
      RefuseFirst(1, absl::StatusCode::kResourceExhausted, -1));
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
        question.mutable_compute()->mutable_input()->set_picture(
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
}  // namespace saliency
