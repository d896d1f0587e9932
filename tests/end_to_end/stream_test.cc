// StreamSaliency at the real server: answers are those of the unary calls, and
// what is malformed hurts nobody else.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::stream_test {
namespace {

using ::testing::HasSubstr;
using Question = v1::StreamSaliencyRequest;
using Answer = v1::StreamSaliencyResponse;

// Rows of a batch differ from single ones in the last bits.
constexpr float kTolerance = 1e-4F;

ServerEnvironment& environment = UseServer([](ModelFolder& models) {
  models.AddGolden("tiny_resnet", "script", "resnet");
});

v1::ComputeSaliencyRequest ComputeRequest(int seed) {
  v1::ComputeSaliencyRequest request;
  *request.mutable_input() = RandomTensor(seed, GoldenInputSize("tiny_resnet"));
  *request.add_targets() = ClassIndexTarget(seed % 3);
  *request.add_attributions() = At("norm_grad", {"layer1", "layer2"});
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
  return request;
}

v1::CombineLayersRequest CombineRequest(int seed) {
  v1::CombineLayersRequest request;
  *request.mutable_input() = ComputeRequest(seed).input();
  *request.add_combinations()->mutable_attribution() =
      At("norm_grad", {"layer1", "layer2"});
  return request;
}

// Every third question combines.
Question QuestionOf(int seed) {
  Question question;
  if (seed % 3 == 0) {
    *question.mutable_combine() = CombineRequest(seed);
  } else {
    *question.mutable_compute() = ComputeRequest(seed);
  }
  return question;
}

TEST(StreamTest, AnswersAreThoseOfTheUnaryCalls) {
  constexpr int kQuestions = 60;
  std::vector<std::optional<Answer>> answers(kQuestions);
  int asked = 0;
  const absl::Status status = environment.client().Stream(
      [&]() -> std::optional<Question> {
        if (asked == kQuestions) return std::nullopt;
        return QuestionOf(asked++);
      },
      [&](int64_t index, absl::StatusOr<Answer> answer) {
        EXPECT_TRUE(answer.ok()) << answer.status();
        if (answer.ok()) answers[index] = *std::move(answer);
        return true;
      });
  ASSERT_TRUE(status.ok()) << status;
  int most_shared = 0;
  for (int i = 0; i < kQuestions; ++i) {
    SCOPED_TRACE(i);
    ASSERT_TRUE(answers[i].has_value());
    if (i % 3 == 0) {
      const auto expected =
          environment.client().CombineLayers(CombineRequest(i));
      ASSERT_TRUE(expected.ok()) << expected.status();
      ExpectSameMap(answers[i]->combine().combined(0).map(),
                    expected->combined(0).map(), kTolerance);
    } else {
      const auto expected =
          environment.client().ComputeSaliency(ComputeRequest(i));
      ASSERT_TRUE(expected.ok()) << expected.status();
      ASSERT_EQ(answers[i]->compute().maps_size(), 2);
      for (int map = 0; map < 2; ++map) {
        ExpectSameMap(answers[i]->compute().maps(map), expected->maps(map),
                      kTolerance);
      }
      most_shared = std::max(
          most_shared, answers[i]->compute().summary().batch().requests());
    }
  }
  EXPECT_GT(most_shared, 1) << "questions of a stream share passes";
}

// A stream of its own, question by question.
class Stream {
 public:
  Stream()
      : stub_(v1::SaliencyService::NewStub(environment.server().channel())) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    stream_ = stub_->StreamSaliency(&context_);
  }
  Answer Ask(const Question& question) {
    EXPECT_TRUE(stream_->Write(question));
    Answer answer;
    EXPECT_TRUE(stream_->Read(&answer));
    return answer;
  }
  grpc::Status End() {
    stream_->WritesDone();
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::SaliencyService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<Question, Answer>> stream_;
};

TEST(StreamTest, ProgressIsToldOfALongQuestionThatAsksForIt) {
  constexpr int kMasks = 2000;
  Question question;
  *question.mutable_compute() = ComputeRequest(1);
  question.mutable_compute()
      ->mutable_attributions(0)
      ->mutable_rise()
      ->set_masks(kMasks);
  question.mutable_compute()->mutable_attributions(0)->clear_layers();
  const auto ask = [&](HearProgress on_progress) {
    bool asked = false;
    int answers = 0;
    const absl::Status status = environment.client().Stream(
        [&]() -> std::optional<Question> {
          if (std::exchange(asked, true)) return std::nullopt;
          return question;
        },
        [&](int64_t, absl::StatusOr<Answer> answer) {
          EXPECT_TRUE(answer.ok()) << answer.status();
          EXPECT_TRUE(answer.ok() && answer->has_compute());
          ++answers;
          return true;
        },
        {.on_progress = std::move(on_progress)});
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(answers, 1);
  };
  std::vector<int64_t> told;
  ask([&](int64_t index, const v1::SampleProgress& progress) {
    EXPECT_EQ(index, 0);
    EXPECT_EQ(progress.total(), kMasks);
    told.push_back(progress.done());
  });
  ASSERT_GE(told.size(), 1U);
  EXPECT_GT(told.front(), 0);
  EXPECT_LT(told.back(), kMasks);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  ask(nullptr);
}

struct Malformed {
  const char* name;
  void (*spoil)(Question&);
  const char* words;
};

TEST(StreamTest, MalformedQuestionsAreAnsweredAndTheStreamGoesOn) {
  const std::vector<Malformed> cases = {
      {"no id", [](Question& q) { q.clear_id(); }, "id: empty"},
      {"long id", [](Question& q) { q.set_id(std::string(1 << 20, 'i')); },
       "id: bytes: 1048576 of at most 256"},
      {"no question", [](Question& q) { q.clear_request(); }, "request"},
      {"no time", [](Question& q) { q.set_timeout_seconds(-1); },
       "timeout_seconds: -1"},
      {"no image",
       [](Question& q) {
         q.mutable_compute()->mutable_input()->set_image("none");
       },
       "input.image"},
      {"tensor of other bytes",
       [](Question& q) {
         q.mutable_compute()->mutable_input()->mutable_tensor()->add_shape(7);
       },
       "input.tensor"},
      {"unknown weighting",
       [](Question& q) {
         *q.mutable_combine() = CombineRequest(1);
         q.mutable_combine()->mutable_combinations(0)->set_weighting(
             static_cast<v1::Weighting>(99));
       },
       "weighting"}};
  Stream stream;
  for (const Malformed& malformed : cases) {
    SCOPED_TRACE(malformed.name);
    Question question;
    question.set_id("bad");
    *question.mutable_compute() = ComputeRequest(1);
    malformed.spoil(question);
    const Answer answer = stream.Ask(question);
    EXPECT_EQ(answer.id(), question.id());
    EXPECT_EQ(answer.status().code(), 3) << answer.status().message();
    EXPECT_THAT(answer.status().message(), HasSubstr(malformed.words));
    ExpectFitForCallers(answer.status().message());
    Question good = QuestionOf(1);
    good.set_id("good");
    EXPECT_EQ(stream.Ask(good).status().code(), 0);
  }
  EXPECT_TRUE(stream.End().ok());
}

// Bytes that are no message end the stream, with the reason, after the answers
// to what came before.
TEST(StreamTest, BytesThatAreNoMessageEndTheStreamAlone) {
  grpc::GenericStub stub(environment.server().channel());
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  grpc::CompletionQueue queue;
  const auto await = [&] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto call = stub.PrepareCall(
      &context, "/saliency.v1.SaliencyService/StreamSaliency", &queue);
  call->StartCall(nullptr);
  ASSERT_TRUE(await());
  Question good = QuestionOf(1);
  good.set_id("good");
  for (const std::string& bytes :
       {good.SerializeAsString(), std::string("\xFF\xFF\xFF\xFF")}) {
    const grpc::Slice slice(bytes);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    ASSERT_TRUE(await());
  }
  grpc::ByteBuffer buffer;
  call->Read(&buffer, nullptr);
  EXPECT_TRUE(await()) << "what came before is answered";
  grpc::Status status;
  call->Finish(&status, nullptr);
  ASSERT_TRUE(await());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  Stream other;
  EXPECT_EQ(other.Ask(good).status().code(), 0);
  EXPECT_TRUE(other.End().ok());
}

TEST(StreamTest, AQuestionAboveTheMessageLimitEndsTheStreamAlone) {
  const auto stub =
      v1::SaliencyService::NewStub(environment.server().channel());
  grpc::ClientContext context;
  const auto stream = stub->StreamSaliency(&context);
  Question huge;
  huge.mutable_compute()->mutable_input()->set_image(
      std::string(33 << 20, 'x'));
  stream->Write(huge);
  EXPECT_EQ(stream->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  Stream other;
  Question good = QuestionOf(1);
  good.set_id("good");
  EXPECT_EQ(other.Ask(good).status().code(), 0);
}

}  // namespace
}  // namespace saliency::stream_test
