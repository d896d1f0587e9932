// StreamSaliency: what is told of questions in work.

#include <string>

#include "gtest/gtest.h"
#include "tests/server/held_jobs.h"
#include "tests/server/stream_caller.h"
#include "tests/server/test_server.h"

namespace saliency::stream_progress_test {
namespace {

class StreamProgressTest : public testing::Test {
 protected:
  StreamProgressTest() { server_.AddFakeModel(); }

  static v1::StreamSaliencyRequest Watched(const std::string& id) {
    v1::StreamSaliencyRequest question = Compute(id);
    question.set_progress(true);
    return question;
  }

  static void ExpectProgress(const v1::StreamSaliencyResponse& answer,
                             const std::string& id, int64_t done,
                             int64_t total) {
    EXPECT_EQ(answer.id(), id);
    EXPECT_FALSE(answer.has_status());
    ASSERT_TRUE(answer.has_progress());
    EXPECT_EQ(answer.progress().done(), done);
    EXPECT_EQ(answer.progress().total(), total);
  }

  HeldJobs jobs_;
  TestServer server_{{.submit = jobs_.Submit()}};
};

TEST_F(StreamProgressTest, ComesBeforeTheAnswerAndNeverAfterIt) {
  StreamCaller stream(server_);
  stream.Ask(Watched("a"));
  ASSERT_TRUE(jobs_.Await(1));
  jobs_.Tell(0, {.done = 3, .total = 10});
  ExpectProgress(stream.Read(), "a", 3, 10);
  jobs_.Tell(0, {.done = 7, .total = 10});
  ExpectProgress(stream.Read(), "a", 7, 10);
  jobs_.Answer(0);
  const v1::StreamSaliencyResponse answer = stream.Read();
  EXPECT_TRUE(answer.has_compute());
  EXPECT_TRUE(answer.has_status());
  jobs_.Tell(0, {.done = 9, .total = 10});
  stream.WritesDone();
  EXPECT_EQ(stream.Read().id(), "") << "nothing more";
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(StreamProgressTest, IsToldOfNobodyWhoDidNotAsk) {
  StreamCaller stream(server_);
  stream.Ask(Compute("a"));
  stream.Ask(Watched("b"));
  ASSERT_TRUE(jobs_.Await(2));
  EXPECT_FALSE(jobs_.wants_progress(0));
  EXPECT_TRUE(jobs_.wants_progress(1));
  jobs_.Answer(0);
  EXPECT_TRUE(stream.Read().has_compute());
  jobs_.Answer(1);
  EXPECT_TRUE(stream.Read().has_compute());
  EXPECT_TRUE(stream.End().ok());
}

TEST_F(StreamProgressTest, OfAnEarlierQuestionWithTheSameIdIsNotTold) {
  StreamCaller stream(server_);
  stream.Ask(Watched("a"));
  ASSERT_TRUE(jobs_.Await(1));
  jobs_.Answer(0);
  EXPECT_TRUE(stream.Read().has_compute());
  stream.Ask(Watched("a"));
  ASSERT_TRUE(jobs_.Await(2));
  jobs_.Tell(0, {.done = 9, .total = 10});
  jobs_.Tell(1, {.done = 1, .total = 10});
  ExpectProgress(stream.Read(), "a", 1, 10);
  jobs_.Answer(1);
  EXPECT_TRUE(stream.Read().has_compute());
  EXPECT_TRUE(stream.End().ok());
}

TEST_F(StreamProgressTest, OfAStreamWhoseCallerHasGoneGoesNowhere) {
  {
    StreamCaller stream(server_);
    stream.Ask(Watched("a"));
    ASSERT_TRUE(jobs_.Await(1));
  }
  jobs_.Tell(0, {.done = 1, .total = 10});
  EXPECT_TRUE(server_.tracker().AwaitEmpty(absl::Now() + absl::Seconds(60)));
  jobs_.Tell(0, {.done = 2, .total = 10});
}

}  // namespace
}  // namespace saliency::stream_progress_test
