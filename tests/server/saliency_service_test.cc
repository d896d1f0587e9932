#include "server/services/saliency_service.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/server/stream_caller.h"
#include "tests/server/test_server.h"

namespace saliency::saliency_service_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A server whose engine answers everything with `status`.
TestServer::Options Answering(const absl::Status& status) {
  return {.submit = [status](Job, JobDone done) { done(status); }};
}

std::string Trailing(const grpc::ClientContext& context,
                     const std::string& key) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto it = metadata.find(key);
  return it == metadata.end()
             ? "none"
             : std::string(it->second.data(), it->second.size());
}

TEST(SaliencyServiceTest, AnswersWithTheEnginesMaps) {
  TestServer server;
  server.AddFakeModel();
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.summary().model().name(), "fake");
  EXPECT_EQ(response.summary().model().version(), 1);
  ASSERT_EQ(response.maps_size(), 1);
  const v1::SaliencyMap& map = response.maps(0);
  EXPECT_EQ(map.method(), "norm_grad");
  EXPECT_EQ(map.layer(), "conv");
  EXPECT_EQ(map.height(), 2);
  EXPECT_EQ(map.width(), 2);
  EXPECT_EQ(map.raw_max(), 3);
  EXPECT_EQ(map.point().y(), 1);
  EXPECT_EQ(map.point().x(), 1);
  EXPECT_EQ(map.data().size(), 4 * sizeof(float));
  EXPECT_EQ(map.explained_class().label(), "class9");
  EXPECT_EQ(response.summary().images(0).top_size(), 5);
}

// The size of an encoded image is known only when it is made.
TEST(SaliencyServiceTest, AnAnswerAboveWhatTheCallerReceivesIsRefused) {
  TestServer server;
  server.AddFakeModel();
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_COLOUR_PNG);
  request.mutable_output()->set_max_answer_bytes(100);
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr("of at most 100 (output.max_answer_bytes)"),
                    HasSubstr("output.named_size MODEL_INPUT")));
  request.mutable_output()->set_max_answer_bytes(100'000);
  grpc::ClientContext again;
  EXPECT_TRUE(
      server.saliency().ComputeSaliency(&again, request, &response).ok());
}

TEST(SaliencyServiceTest, TheLimitOfAStreamedAnswerIsItsQuestions) {
  TestServer server;
  server.AddFakeModel();
  StreamCaller caller(server);
  v1::StreamSaliencyRequest small = Compute("small");
  small.mutable_compute()->mutable_output()->set_max_answer_bytes(100);
  ASSERT_TRUE(caller.Ask(small));
  ASSERT_TRUE(caller.Ask(Compute("default")));
  const auto answers = caller.Read(2);
  EXPECT_EQ(answers.at("small").status().code(),
            static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_FALSE(answers.at("small").has_compute());
  EXPECT_EQ(answers.at("default").status().code(), 0);
  EXPECT_TRUE(caller.End().ok());
}

TEST(SaliencyServiceTest, OneBadResultDoesNotFailTheOthers) {
  TestServer server;
  server.AddFakeModel();
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.mutable_attributions(0)->add_layers("nope");
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  ASSERT_TRUE(
      server.saliency().ComputeSaliency(&context, request, &response).ok());
  ASSERT_EQ(response.maps_size(), 2);
  EXPECT_EQ(response.maps(0).status().code(), 0);
  EXPECT_EQ(response.maps(1).status().code(), 5);
  EXPECT_THAT(response.maps(1).status().message(), HasSubstr("nearest"));
}

TEST(SaliencyServiceTest, TheRequestIdComesBackAndStandsInTheLog) {
  TestServer server;
  server.AddFakeModel();
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "my-id");
  v1::ComputeSaliencyResponse response;
  server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(Trailing(context, "x-request-id"), "my-id");
  int lines = 0;
  for (const std::string& line : server.log_lines()) {
    const auto object = nlohmann::json::parse(line);
    if (object["message"] != "call") continue;
    ++lines;
    EXPECT_EQ(object["request_id"], "my-id");
    EXPECT_EQ(object["rpc"], "ComputeSaliency");
    EXPECT_EQ(object["model"], "fake");
    EXPECT_EQ(object["code"], "OK");
    EXPECT_EQ(object["rows"], 1);
  }
  EXPECT_EQ(lines, 1);
}

TEST(SaliencyServiceTest, ACallWithoutAnIdGetsOne) {
  TestServer server;
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(Trailing(context, "x-request-id").size(), 32);
}

TEST(SaliencyServiceTest, AFullQueueTellsWhenToComeBack) {
  TestServer server(Answering(absl::ResourceExhaustedError("queue full")));
  server.AddFakeModel();
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Trailing(context, "grpc-retry-pushback-ms"), "200");
}

TEST(SaliencyServiceTest, AnItemThatNeverFitsTellsNotToComeBack) {
  TestServer server(Answering(TooLargeError("one row does not fit")));
  server.AddFakeModel();
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(Trailing(context, "grpc-retry-pushback-ms"), "-1");
}

TEST(SaliencyServiceTest, OtherAnswersCarryNoPushback) {
  TestServer server(Answering(absl::UnavailableError("gone")));
  server.AddFakeModel();
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(Trailing(context, "grpc-retry-pushback-ms"), "none");
}

TEST(SaliencyServiceTest, AnInternalErrorIsInTheLogAndNotInTheAnswer) {
  TestServer server(
      Answering(absl::InternalError("/usr/src/torch.cpp:1: Expected X")));
  server.AddFakeModel();
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "r7");
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "internal error, request id r7");
  const std::vector<std::string> lines = server.log_lines();
  EXPECT_THAT(lines, testing::Contains(HasSubstr("Expected X")));
}

TEST(SaliencyServiceTest, AnExplainerThatThrowsLeaksNothing) {
  TestServer server({.hook = [](const std::vector<int>&) -> absl::Status {
    throw std::runtime_error("/usr/src/secret.cpp:12");
  }});
  server.AddFakeModel();
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), Not(HasSubstr("secret")));
}

TEST(SaliencyServiceTest, AModelThatIsLoadingIsUnavailable) {
  TestServer server;
  server.table().Reserve("fake", 1);
  grpc::ClientContext context;
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("is loading"));
}

TEST(SaliencyServiceTest, ACallerThatLeavesCancelsItsJob) {
  Gate gate;
  TestServer server({.hook = [&](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  }});
  server.AddFakeModel();
  grpc::ClientContext context;
  std::thread leaver([&] {
    gate.AwaitArrivals(1);
    context.TryCancel();
  });
  v1::ComputeSaliencyResponse response;
  const grpc::Status status =
      server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  leaver.join();
  gate.Open();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::InfiniteFuture()));
  EXPECT_EQ(server.Metric("saliency_requests_total"), 1);
}

TEST(SaliencyServiceTest, ADeadlineThatHasPassedIsNeverExecuted) {
  TestServer server;
  server.AddFakeModel();
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() - absl::Seconds(1)));
  v1::ComputeSaliencyResponse response;
  EXPECT_EQ(server.saliency()
                .ComputeSaliency(&context, FakeRequest(), &response)
                .error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::InfiniteFuture()));
  EXPECT_TRUE(server.explainer_log().Batches().empty());
}

TEST(SaliencyServiceTest, TheJobKnowsDeadlineIdAndModel) {
  Job seen;
  TestServer server({.submit = [&](Job job, JobDone done) {
    seen = std::move(job);
    done(absl::UnavailableError("x"));
  }});
  server.AddFakeModel();
  grpc::ClientContext context;
  const absl::Time deadline = absl::Now() + absl::Hours(1);
  context.set_deadline(absl::ToChronoTime(deadline));
  context.AddMetadata("x-request-id", "r1");
  v1::ComputeSaliencyResponse response;
  server.saliency().ComputeSaliency(&context, FakeRequest(), &response);
  EXPECT_EQ(seen.model, "fake");
  EXPECT_EQ(seen.version, 1);
  EXPECT_EQ(seen.request_id, "r1");
  EXPECT_NE(seen.cancel, nullptr);
  EXPECT_LT(absl::AbsDuration(seen.deadline - deadline), absl::Seconds(10));
}

}  // namespace
}  // namespace saliency::saliency_service_test
