// StreamSaliency: what each question gets.

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/held_jobs.h"
#include "tests/server/stream_caller.h"
#include "tests/server/test_server.h"

namespace saliency::stream_saliency_test {
namespace {

using ::testing::HasSubstr;
using Question = v1::StreamSaliencyRequest;
using Answer = v1::StreamSaliencyResponse;

Question Combine(const std::string& id) {
  Question question;
  question.set_id(id);
  v1::CombineLayersRequest& combine = *question.mutable_combine();
  *combine.mutable_input() = FakeRequest().input();
  v1::Attribution& attribution =
      *combine.add_combinations()->mutable_attribution();
  attribution.add_layers("conv");
  attribution.add_layers("last");
  return question;
}

Question Meta(const std::string& id) {
  Question question;
  question.set_id(id);
  v1::MetaSaliencyRequest& meta = *question.mutable_meta();
  *meta.mutable_input() = FakeRequest().input();
  *meta.mutable_attributions() = FakeRequest().attributions();
  *meta.mutable_output() = FakeRequest().output();
  return question;
}

Question ClassSensitivity(const std::string& id) {
  Question question;
  question.set_id(id);
  v1::MeasureClassSensitivityRequest& sensitivity =
      *question.mutable_class_sensitivity();
  *sensitivity.mutable_input() = FakeRequest().input();
  *sensitivity.mutable_attributions() = FakeRequest().attributions();
  return question;
}

int Code(grpc::StatusCode code) { return static_cast<int>(code); }

constexpr absl::Duration kPatience = absl::Seconds(60);

TEST(StreamSaliencyTest, AThousandQuestionsAreEachAnsweredOnce) {
  TestServer server;
  server.AddFakeModel();
  constexpr int kQuestions = 1000;
  StreamCaller stream(server);
  std::thread writer([&] {
    for (int i = 0; i < kQuestions; ++i) {
      EXPECT_TRUE(stream.Ask(Compute(absl::StrCat("q", i))));
    }
    stream.WritesDone();
  });
  const std::map<std::string, Answer> answers = stream.Read(kQuestions);
  writer.join();
  EXPECT_EQ(stream.Read().id(), "") << "no more than that";
  const grpc::Status status = stream.Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(answers.size(), static_cast<size_t>(kQuestions));
  for (const auto& [id, answer] : answers) {
    ASSERT_EQ(answer.status().code(), 0) << answer.status().message();
    EXPECT_EQ(answer.status().details_size(), 0);
    EXPECT_EQ(answer.compute().maps(0).raw_max(), 3);
  }
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
}

TEST(StreamSaliencyTest, AnswersAreThoseOfTheUnaryCalls) {
  TestServer server;
  server.AddFakeModel();
  StreamCaller stream(server);
  stream.Ask(Compute("compute"));
  stream.Ask(Combine("combine"));
  stream.Ask(Meta("meta"));
  stream.Ask(ClassSensitivity("class"));
  auto answers = stream.Read(4);
  EXPECT_TRUE(stream.End().ok());
  v1::ComputeSaliencyResponse compute;
  v1::CombineLayersResponse combine;
  {
    grpc::ClientContext context;
    server.saliency().ComputeSaliency(&context, FakeRequest(), &compute);
  }
  {
    grpc::ClientContext context;
    server.saliency().CombineLayers(&context, Combine("").combine(), &combine);
  }
  EXPECT_EQ(answers["compute"].compute().maps(0).data(),
            compute.maps(0).data());
  ASSERT_EQ(answers["combine"].combine().combined_size(), 1)
      << answers["combine"].status().message();
  EXPECT_EQ(answers["combine"].combine().combined(0).map().data(),
            combine.combined(0).map().data());
  v1::MetaSaliencyResponse meta;
  v1::MeasureClassSensitivityResponse sensitivity;
  {
    grpc::ClientContext context;
    server.saliency().MetaSaliency(&context, Meta("").meta(), &meta);
  }
  {
    grpc::ClientContext context;
    server.saliency().MeasureClassSensitivity(
        &context, ClassSensitivity("").class_sensitivity(), &sensitivity);
  }
  ASSERT_EQ(answers["meta"].meta().maps_size(), 1)
      << answers["meta"].status().message();
  EXPECT_EQ(answers["meta"].meta().maps(0).map().data(),
            meta.maps(0).map().data());
  ASSERT_EQ(answers["class"].class_sensitivity().measurements_size(), 1)
      << answers["class"].status().message();
  EXPECT_EQ(answers["class"].class_sensitivity().measurements(0).correlation(),
            sensitivity.measurements(0).correlation());
}

TEST(StreamSaliencyTest, AnswersComeAsTheyAreReady) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server);
  stream.Ask(Compute("a"));
  stream.Ask(Compute("b"));
  ASSERT_TRUE(jobs.Await(2));
  jobs.Answer(1);
  EXPECT_EQ(stream.Read().id(), "b");
  jobs.Answer(0);
  EXPECT_EQ(stream.Read().id(), "a");
  EXPECT_TRUE(stream.End().ok());
}

TEST(StreamSaliencyTest, AStreamWithoutQuestionsEndsWell) {
  TestServer server;
  StreamCaller stream(server);
  EXPECT_TRUE(stream.End().ok());
}

struct BadQuestion {
  const char* name;
  std::function<void(Question&)> spoil;
  grpc::StatusCode code;
  const char* message;
};

class BadQuestionTest : public testing::TestWithParam<BadQuestion> {};

TEST_P(BadQuestionTest, IsAnsweredAndTheStreamGoesOn) {
  TestServer server;
  server.AddFakeModel();
  StreamCaller stream(server);
  Question bad = Compute("bad");
  GetParam().spoil(bad);
  ASSERT_TRUE(stream.Ask(bad));
  const Answer answer = stream.Read();
  EXPECT_EQ(answer.id(), bad.id());
  EXPECT_EQ(answer.status().code(), Code(GetParam().code));
  EXPECT_THAT(answer.status().message(), HasSubstr(GetParam().message));
  EXPECT_EQ(answer.response_case(), Answer::RESPONSE_NOT_SET);
  ASSERT_TRUE(stream.Ask(Compute("good")));
  EXPECT_EQ(stream.Read().status().code(), 0);
  EXPECT_TRUE(stream.End().ok());
}

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;

INSTANTIATE_TEST_SUITE_P(
    All, BadQuestionTest,
    testing::Values(
        BadQuestion{"NoId", [](Question& q) { q.clear_id(); }, kInvalid,
                    "id: empty"},
        BadQuestion{"LongId",
                    [](Question& q) { q.set_id(std::string(257, 'x')); },
                    kInvalid, "id: bytes: 257 of at most 256"},
        BadQuestion{"NoQuestion", [](Question& q) { q.clear_request(); },
                    kInvalid, "request: none is set"},
        BadQuestion{"NoTime", [](Question& q) { q.set_timeout_seconds(0); },
                    kInvalid, "timeout_seconds: 0 is not positive"},
        BadQuestion{"TimeThatIsNoNumber",
                    [](Question& q) {
                      q.set_timeout_seconds(
                          std::numeric_limits<double>::quiet_NaN());
                    },
                    kInvalid, "timeout_seconds: nan is not positive"},
        BadQuestion{"TooLittleTime",
                    [](Question& q) { q.set_timeout_seconds(1e-9); },
                    grpc::StatusCode::DEADLINE_EXCEEDED, ""},
        BadQuestion{"UnknownModel",
                    [](Question& q) {
                      q.mutable_compute()->mutable_model()->set_name("fke");
                    },
                    grpc::StatusCode::NOT_FOUND, "nearest: \"fake\""},
        BadQuestion{"UnknownLayer",
                    [](Question& q) {
                      q.mutable_compute()->mutable_attributions(0)->set_layers(
                          0, "cnv");
                    },
                    grpc::StatusCode::NOT_FOUND, "nearest: \"conv\""},
        BadQuestion{"NoImage",
                    [](Question& q) {
                      q.mutable_compute()->mutable_input()->set_image("none");
                    },
                    kInvalid, "input.image"},
        BadQuestion{"NoInput", [](Question& q) { q.mutable_combine(); },
                    kInvalid, "input"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(StreamSaliencyTest, AnIdMayNotBeThatOfAQuestionInWorkAndMayBeUsedAgain) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server);
  stream.Ask(Compute("a"));
  stream.Ask(Compute("a"));
  const Answer refused = stream.Read();
  EXPECT_EQ(refused.id(), "a");
  EXPECT_EQ(refused.status().code(), Code(kInvalid));
  EXPECT_EQ(refused.status().message(),
            "id: \"a\" is that of a question still in work");
  ASSERT_TRUE(jobs.Await(1));
  jobs.Answer(0);
  EXPECT_EQ(stream.Read().status().code(), 0);
  stream.Ask(Compute("a"));
  ASSERT_TRUE(jobs.Await(2));
  jobs.Answer(1);
  EXPECT_EQ(stream.Read().status().code(), 0);
  EXPECT_TRUE(stream.End().ok());
}

TEST(StreamSaliencyTest, RefusalsOfTheEngineAreAnsweredAndCounted) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server);
  for (const char* id : {"full", "large", "gone"}) stream.Ask(Compute(id));
  ASSERT_TRUE(jobs.Await(3));
  jobs.Answer(0, absl::ResourceExhaustedError("queue full"));
  jobs.Answer(1, TooLargeError("one row does not fit"));
  jobs.Answer(2, absl::UnavailableError("gone"));
  auto answers = stream.Read(3);
  EXPECT_EQ(answers["full"].status().code(),
            Code(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_EQ(answers["large"].status().message(), "one row does not fit");
  EXPECT_EQ(answers["gone"].status().code(),
            Code(grpc::StatusCode::UNAVAILABLE));
  EXPECT_TRUE(stream.End().ok());
  EXPECT_EQ(server.Metric("saliency_refused_total", {{"reason", "queue_full"}}),
            1);
}

TEST(StreamSaliencyTest, AQuestionHasItsOwnTimeWithinTheStreams) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server);
  Question hour = Compute("hour");
  hour.set_timeout_seconds(3600);
  stream.Ask(hour);
  stream.Ask(Compute("for ever"));
  ASSERT_TRUE(jobs.Await(2));
  EXPECT_LT(absl::AbsDuration(jobs.deadline(0) - absl::Now() - absl::Hours(1)),
            absl::Minutes(1));
  EXPECT_EQ(jobs.deadline(1), absl::InfiniteFuture());
  jobs.Answer(0);
  jobs.Answer(1);
}

TEST(StreamSaliencyTest, OurOwnFaultSaysOnlyTheQuestionsRequestId) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server, "bulk");
  stream.Ask(Compute("a"));
  stream.Ask(Compute("b"));
  ASSERT_TRUE(jobs.Await(2));
  EXPECT_EQ(jobs.request_id(0), "bulk/1");
  jobs.Answer(1, absl::InternalError("/usr/src/torch.cpp:1: Expected X"));
  EXPECT_EQ(stream.Read().status().message(),
            "internal error, request id bulk/2");
  jobs.Answer(0);
  stream.Read();
  EXPECT_TRUE(stream.End().ok());
  const auto& trailing = stream.context().GetServerTrailingMetadata();
  const auto id = trailing.find("x-request-id");
  ASSERT_NE(id, trailing.end());
  EXPECT_EQ(std::string(id->second.data(), id->second.size()), "bulk");
  EXPECT_THAT(server.log_lines(), testing::Contains(HasSubstr("Expected X")));
}

TEST(StreamSaliencyTest, EachQuestionAndTheStreamAreCounted) {
  TestServer server;
  server.AddFakeModel();
  StreamCaller stream(server);
  stream.Ask(Compute("a"));
  stream.Ask(Combine("b"));
  Question none;
  none.set_id("c");
  stream.Ask(none);
  stream.Read(3);
  EXPECT_TRUE(stream.End().ok());
  const auto calls = [&](const std::string& rpc, const std::string& code) {
    return server.Metric("saliency_requests_total",
                         {{"rpc", rpc}, {"code", code}});
  };
  EXPECT_EQ(calls("StreamSaliency.compute", "OK"), 1);
  EXPECT_EQ(calls("StreamSaliency.combine", "OK"), 1);
  EXPECT_EQ(calls("StreamSaliency.none", "INVALID_ARGUMENT"), 1);
  EXPECT_EQ(calls("StreamSaliency", "OK"), 1);
  EXPECT_EQ(server.Metric("saliency_requests_total"), 4);
}

}  // namespace
}  // namespace saliency::stream_saliency_test
