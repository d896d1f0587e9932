// What ends a stream of StreamSaliency early: its caller, its deadline, a
// server that drains; and what becomes of the questions on their way.

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/drain.h"
#include "tests/server/held_jobs.h"
#include "tests/server/stream_caller.h"
#include "tests/server/test_server.h"

namespace saliency::stream_end_test {
namespace {

using Answer = v1::StreamSaliencyResponse;

constexpr absl::Duration kPatience = absl::Seconds(60);

TEST(StreamSaliencyTest, ACallerThatLeavesCancelsAllItsQuestions) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server);
  for (int i = 0; i < 5; ++i) stream.Ask(Compute(absl::StrCat(i)));
  ASSERT_TRUE(jobs.Await(5));
  jobs.Answer(2);
  EXPECT_EQ(stream.Read().id(), "2");
  stream.Cancel();
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
  EXPECT_EQ(jobs.cancelled(), 4);
  EXPECT_EQ(
      server.Metric("saliency_requests_total",
                    {{"rpc", "StreamSaliency.compute"}, {"code", "CANCELLED"}}),
      4);
}

TEST(StreamSaliencyTest, QuestionsOfACallerThatLeftNeverRun) {
  Gate gate;
  TestServer server({.hook = [&](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  }});
  server.AddFakeModel();
  StreamCaller stream(server);
  stream.Ask(Compute("running"));
  gate.AwaitArrivals(1);
  for (int i = 0; i < 5; ++i) stream.Ask(Compute(absl::StrCat(i)));
  while (server.Metric("saliency_in_flight") < 6) std::this_thread::yield();
  stream.Cancel();
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
  gate.Open();
  EXPECT_TRUE(server.engine().Drain(absl::Now() + kPatience));
  EXPECT_EQ(server.explainer_log().Batches().size(), 1U);
}

TEST(StreamSaliencyTest, TheStreamsDeadlineEndsAllOfIt) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(1)));
  const auto stream = server.saliency().StreamSaliency(&context);
  stream->Write(Compute("a"));
  ASSERT_TRUE(jobs.Await(1, kPatience));
  EXPECT_LT(jobs.deadline(0), absl::Now() + absl::Seconds(2));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
  EXPECT_EQ(jobs.cancelled(), 1);
}

void DrainNow(TestServer& server) {
  Drain({.delay = absl::ZeroDuration(), .timeout = kPatience}, server.clock(),
        server.registry(), server.tracker(),
        [&](absl::Time deadline) { return server.engine().Drain(deadline); });
}

TEST(StreamSaliencyTest, DrainingAnswersWhatWasReadAndEndsTheStream) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server);
  stream.Ask(Compute("a"));
  stream.Ask(Compute("b"));
  ASSERT_TRUE(jobs.Await(2));
  std::thread drainer([&] { DrainNow(server); });
  while (server.tracker().CheckOpen().ok()) std::this_thread::yield();
  // The read that was under way may bring one more; it is told to go.
  stream.Ask(Compute("late"));
  jobs.Answer(0);
  jobs.Answer(1);
  std::map<std::string, Answer> answers;
  for (Answer answer = stream.Read(); !answer.id().empty();
       answer = stream.Read()) {
    answers[answer.id()] = answer;
  }
  EXPECT_EQ(answers["a"].status().code(), 0);
  EXPECT_EQ(answers["b"].status().code(), 0);
  if (answers.contains("late")) {
    EXPECT_EQ(answers["late"].status().code(),
              static_cast<int>(grpc::StatusCode::UNAVAILABLE));
  }
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the server is shutting down");
  drainer.join();
  EXPECT_EQ(jobs.total(), 2);
}

TEST(StreamSaliencyTest, DrainingLetsAStreamThatIsThroughEndWell) {
  HeldJobs jobs;
  TestServer server({.submit = jobs.Submit()});
  server.AddFakeModel();
  StreamCaller stream(server);
  stream.Ask(Compute("a"));
  stream.WritesDone();
  ASSERT_TRUE(jobs.Await(1));
  std::thread drainer([&] { DrainNow(server); });
  while (server.tracker().CheckOpen().ok()) std::this_thread::yield();
  jobs.Answer(0);
  EXPECT_EQ(stream.Read().id(), "a");
  // Whether the server had seen the caller's end before its own is open.
  const grpc::StatusCode code = stream.Finish().error_code();
  EXPECT_TRUE(code == grpc::StatusCode::OK ||
              code == grpc::StatusCode::UNAVAILABLE);
  drainer.join();
}

TEST(StreamSaliencyTest, AnIdleStreamDoesNotHoldADrainUp) {
  TestServer server;
  StreamCaller stream(server);
  stream.Ask(Compute("no model"));
  stream.Read();
  DrainNow(server);
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(StreamSaliencyTest, AStreamThatComesWhileDrainingIsRefused) {
  TestServer server;
  server.AddFakeModel();
  server.tracker().Close();
  StreamCaller stream(server);
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(server.Metric("saliency_refused_total", {{"reason", "draining"}}),
            1);
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
}

}  // namespace
}  // namespace saliency::stream_end_test
