// The flow control of StreamSaliency: how much a caller can make the server
// hold.

#include <algorithm>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/held_jobs.h"
#include "tests/server/test_server.h"

namespace saliency::stream_flow_test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using Question = v1::StreamSaliencyRequest;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr absl::Duration kShort = absl::Milliseconds(200);
constexpr int kWindow = 4;
// Of an answer: far beyond what gRPC takes off the server's hands unread.
constexpr int kLargeBytes = 32 << 20;

Question Compute(const std::string& id) {
  Question question;
  question.set_id(id);
  *question.mutable_compute() = FakeRequest();
  question.mutable_compute()->mutable_output()->set_max_answer_bytes(
      2 * kLargeBytes);
  return question;
}

Explanation LargeAnswer() {
  Explanation answer = {.model = "fake", .version = 1};
  MapResult map;
  map.encoding = MapEncoding::kFloat32;
  map.data = std::string(kLargeBytes, 'x');
  answer.results.push_back(std::move(map));
  return answer;
}

// A server on a port, since only HTTP/2 holds back what nobody reads.
TestServer::Options Listening(HeldJobs& jobs, absl::Duration send_timeout,
                              int64_t waiting_bytes = int64_t{1} << 30) {
  return {.submit = jobs.Submit(),
          .listen = {.address = "127.0.0.1:0"},
          .send_timeout = send_timeout,
          .stream = {.window = kWindow, .waiting_bytes = waiting_bytes}};
}

// A caller over the port.
class Caller {
 public:
  explicit Caller(const TestServer& server)
      : stub_(v1::SaliencyService::NewStub(Channel(server.port()))),
        stream_(stub_->StreamSaliency(&context_)) {}
  ~Caller() {
    context_.TryCancel();
    if (writer_.joinable()) writer_.join();
  }

  void StartAsking(int questions) {
    writer_ = std::thread([this, questions] {
      for (int i = 0; i < questions; ++i) {
        if (!stream_->Write(Compute(absl::StrCat(i)))) return;
      }
      stream_->WritesDone();
    });
  }
  // Whether there was another answer.
  bool Read() {
    v1::StreamSaliencyResponse answer;
    return stream_->Read(&answer);
  }
  grpc::Status Finish() { return stream_->Finish(); }

 private:
  static std::shared_ptr<grpc::Channel> Channel(int port) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    // A fast connection would widen what gRPC takes unread, beyond an answer.
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                     grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  grpc::ClientContext context_;
  std::unique_ptr<v1::SaliencyService::Stub> stub_;
  std::unique_ptr<
      grpc::ClientReaderWriter<Question, v1::StreamSaliencyResponse>>
      stream_;
  std::thread writer_;
};

TEST(StreamFlowTest, NoMoreThanTheWindowIsInWork) {
  HeldJobs jobs;
  TestServer server(Listening(jobs, absl::ZeroDuration()));
  server.AddFakeModel();
  Caller caller(server);
  constexpr int kQuestions = 50;
  caller.StartAsking(kQuestions);
  ASSERT_TRUE(jobs.Await(kWindow, kPatience));
  EXPECT_FALSE(jobs.Await(kWindow + 1, kShort)) << "none has been answered";
  for (int i = 0; i < kQuestions; ++i) {
    EXPECT_LE(jobs.total(), i + kWindow);
    ASSERT_TRUE(jobs.Await(std::min(i + kWindow, kQuestions), kPatience)) << i;
    jobs.Answer(i);
    EXPECT_TRUE(caller.Read());
  }
  EXPECT_FALSE(caller.Read());
  EXPECT_TRUE(caller.Finish().ok());
}

TEST(StreamFlowTest, ACallerThatNeverReadsCannotMakeTheServerHoldMore) {
  HeldJobs jobs;
  TestServer server(Listening(jobs, absl::ZeroDuration()));
  server.AddFakeModel();
  Caller caller(server);
  caller.StartAsking(1000);
  // Every question is answered at once, and no answer is taken: the first fills
  // what gRPC has room for, so the window is all that is ever read.
  for (int i = 0; i < kWindow; ++i) {
    ASSERT_TRUE(jobs.Await(i + 1, kPatience));
    jobs.Answer(i, LargeAnswer());
  }
  EXPECT_FALSE(jobs.Await(kWindow + 1, 5 * kShort));
  // The control: it was the caller that held it up.
  EXPECT_TRUE(caller.Read());
  EXPECT_TRUE(jobs.Await(kWindow + 1, kPatience));
}

TEST(StreamFlowTest, NoMoreIsReadWhileTheWaitingAnswersHoldTooMuch) {
  HeldJobs jobs;
  TestServer server(
      Listening(jobs, absl::ZeroDuration(), /*waiting_bytes=*/2 * kLargeBytes));
  server.AddFakeModel();
  Caller caller(server);
  caller.StartAsking(1000);
  ASSERT_TRUE(jobs.Await(kWindow, kPatience));
  for (int i = 0; i < kWindow; ++i) jobs.Answer(i, LargeAnswer());
  // Each answer that is taken makes room in the window.
  for (int waiting = kWindow - 1; waiting >= 2; --waiting) {
    ASSERT_TRUE(caller.Read());
    EXPECT_FALSE(jobs.Await(kWindow + 1, kShort)) << waiting << " still wait";
  }
  ASSERT_TRUE(caller.Read());
  EXPECT_TRUE(jobs.Await(2 * kWindow - 1, kPatience)) << "only one waits";
}

TEST(StreamFlowTest, AnAnswerThatIsNotTakenInTimeEndsTheStream) {
  HeldJobs jobs;
  TestServer server(Listening(jobs, kShort));
  server.AddFakeModel();
  Caller caller(server);
  caller.StartAsking(2);
  ASSERT_TRUE(jobs.Await(2, kPatience));
  jobs.Answer(0, LargeAnswer());
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
  EXPECT_EQ(jobs.cancelled(), 1) << "the other question is given up with it";
  EXPECT_THAT(server.log_lines(),
              Contains(HasSubstr("the caller does not take its answer")));
}

TEST(StreamFlowTest, AStreamThatTakesLongerThanOneAnswerMayIsLeftAlone) {
  HeldJobs jobs;
  TestServer server(Listening(jobs, kShort));
  server.AddFakeModel();
  Caller caller(server);
  caller.StartAsking(1);
  ASSERT_TRUE(jobs.Await(1, kPatience));
  EXPECT_FALSE(server.tracker().AwaitEmpty(absl::Now() + 3 * kShort));
  jobs.Answer(0);
  EXPECT_TRUE(caller.Read());
  EXPECT_TRUE(caller.Finish().ok());
}

// What stands for an answer's memory is kept while the answer waits to leave,
// and no longer.
TEST(StreamFlowTest, AnAnswersMemoryIsCountedUntilItHasLeft) {
  HeldJobs jobs;
  TestServer server(Listening(jobs, absl::ZeroDuration()));
  server.AddFakeModel();
  Caller caller(server);
  caller.StartAsking(2);
  ASSERT_TRUE(jobs.Await(2, kPatience));
  std::weak_ptr<int> holds[2];
  for (int i = 0; i < 2; ++i) {
    auto hold = std::make_shared<int>(i);
    holds[i] = hold;
    Explanation answer = LargeAnswer();
    answer.hold = std::move(hold);
    jobs.Answer(i, std::move(answer));
  }
  EXPECT_FALSE(holds[1].expired()) << "nobody has read the first";
  EXPECT_TRUE(caller.Read());
  EXPECT_TRUE(caller.Read());
  EXPECT_FALSE(caller.Read());
  EXPECT_TRUE(caller.Finish().ok());
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
  for (const auto& hold : holds) EXPECT_TRUE(hold.expired());
}

TEST(StreamFlowTest, TheMemoryOfAnswersThatNobodyWantsIsFree) {
  HeldJobs jobs;
  TestServer server(Listening(jobs, absl::ZeroDuration()));
  server.AddFakeModel();
  std::weak_ptr<int> watched;
  {
    Caller caller(server);
    caller.StartAsking(kWindow);
    ASSERT_TRUE(jobs.Await(kWindow, kPatience));
    auto hold = std::make_shared<int>(0);
    watched = hold;
    for (int i = 0; i < kWindow; ++i) {
      Explanation answer = LargeAnswer();
      answer.hold = hold;
      jobs.Answer(i, std::move(answer));
    }
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace saliency::stream_flow_test
