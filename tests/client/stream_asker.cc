#include "tests/client/stream_asker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/client/made_answers.h"

namespace saliency {
namespace {

using Question = v1::StreamSaliencyRequest;
using Answer = v1::StreamSaliencyResponse;

Answer Refusal(const Question& question, absl::StatusCode code,
               std::optional<int> retry_after_ms) {
  Answer answer;
  answer.set_id(question.id());
  answer.mutable_status()->set_code(static_cast<int>(code));
  answer.mutable_status()->set_message("not now");
  if (retry_after_ms.has_value()) {
    answer.mutable_status()->add_details()->PackFrom(
        RetryInfoOf(*retry_after_ms));
  }
  return answer;
}

}  // namespace

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

absl::Status Asker::Run(const SaliencyClient& client,
                        const BulkOptions& options) {
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

void Asker::ExpectAllAnswered() const {
  EXPECT_EQ(static_cast<int>(answers_.size()), asked_);
  for (const auto& [index, answer] : answers_) {
    ASSERT_TRUE(answer.ok()) << index << ": " << answer.status();
    EXPECT_EQ(answer->compute().summary().model().name(), absl::StrCat(index));
  }
}

std::optional<Question> Asker::Next() {
  if (asked_ == count_) return std::nullopt;
  Question question;
  question.mutable_compute()->mutable_model()->set_name(absl::StrCat(asked_++));
  most_held_ = std::max(most_held_, asked_ - static_cast<int>(order_.size()));
  return question;
}

Answer Echo(const Question& question) {
  Answer answer;
  answer.set_id(question.id());
  *answer.mutable_compute()->mutable_summary()->mutable_model() =
      question.compute().model();
  return answer;
}

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

}  // namespace saliency
