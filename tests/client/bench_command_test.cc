#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/interrupt.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::bench_command_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BenchCommandTest : public ::testing::Test {
 protected:
  static std::vector<std::string> Arguments(
      const FakeServer& server, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), {"--server", server.address()});
    return arguments;
  }
  static RunResult Bench(const FakeServer& server,
                         std::vector<std::string> arguments) {
    return RunCommand(Arguments(server, std::move(arguments)));
  }

  const TestFolder folder_;
  const std::string cat_ = folder_.AddImage("cat.png", 6, 9);
};

TEST_F(BenchCommandTest, ClosedLoopKeepsItsCallersBusy) {
  std::atomic<int> calls = 0;
  std::atomic<int> inside = 0;
  const FakeServer server(
      [&](grpc::ServerContext& context, const auto& request, auto& response) {
        if (++calls > 1) {  // the first goes alone
          ++inside;
          while (inside < 4 && !context.IsCancelled()) {
            std::this_thread::yield();
          }
        }
        return AnswerWithRamps(request, response);
      });
  const RunResult result =
      Bench(server, {cat_, "--requests", "20", "--concurrency", "4"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              StartsWith("closed loop, 4 callers: 20 answered in "));
  EXPECT_THAT(result.out, ContainsRegex("latency: p50 [0-9.e+-]+ ms, p90 "
                                        "[0-9.e+-]+ ms, p99 [0-9.e+-]+ ms"));
  EXPECT_THAT(result.out, HasSubstr("requests per batch: 1\n"));
  EXPECT_EQ(server.calls(), 21) << "one goes first";
}

TEST_F(BenchCommandTest, ImagesTakeTurnsInTheQuestionAsked) {
  const FakeServer server;
  folder_.AddImage("two/a.png", 4, 4);
  folder_.AddImage("two/b.png", 5, 5);
  const RunResult result =
      Bench(server, {folder_.path("two"), "--requests", "4", "--concurrency",
                     "1", "-m", "grad_cam", "-l", "layer3", "-t", "7", "--size",
                     "layer", "--encoding", "none"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::vector<v1::ComputeSaliencyRequest> requests = server.requests();
  ASSERT_EQ(requests.size(), 5U);
  EXPECT_EQ(requests[1].input().image(), ReadAll(folder_.path("two/a.png")));
  EXPECT_EQ(requests[2].input().image(), ReadAll(folder_.path("two/b.png")));
  EXPECT_EQ(requests[3].input().image(), requests[1].input().image());
  EXPECT_EQ(requests[1].attributions(0).method(), "grad_cam");
  EXPECT_EQ(requests[1].attributions(0).layers(0), "layer3");
  EXPECT_EQ(requests[1].targets(0).class_index(), 7);
  EXPECT_EQ(requests[1].output().named_size(), v1::NAMED_SIZE_LAYER);
  EXPECT_EQ(requests[1].output().encoding(), v1::MAP_ENCODING_NONE);
}

TEST_F(BenchCommandTest, RefusalsAreCountedByCodeAndNotTriedAgain) {
  std::atomic<int> calls = 0;
  const FakeServer server([&](auto&, const auto& request, auto& response) {
    if (++calls % 3 == 0) {
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full");
    }
    if (calls == 5) return grpc::Status(grpc::StatusCode::INTERNAL, "oh");
    return AnswerWithRamps(request, response);
  });
  const RunResult result =
      Bench(server, {cat_, "--requests", "12", "--concurrency", "1", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  ASSERT_EQ(result.out_lines().size(), 1U);
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["mode"], "closed");
  EXPECT_EQ(json["answered"], 7);
  EXPECT_EQ(json["errors"]["RESOURCE_EXHAUSTED"], 4);
  EXPECT_EQ(json["errors"]["INTERNAL"], 1);
  EXPECT_EQ(server.calls(), 13);
}

TEST_F(BenchCommandTest, OpenLoopSendsWhenDue) {
  const FakeServer server;
  const RunResult result =
      Bench(server, {cat_, "--rate", "100", "--requests", "10", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["mode"], "open");
  EXPECT_EQ(json["rate"], 100);
  EXPECT_EQ(json["callers"], 256);
  EXPECT_EQ(json["answered"], 10);
  EXPECT_GE(json["seconds"], 0.09) << "the tenth is due after 90 ms";
}

TEST_F(BenchCommandTest, TheDurationEndsIt) {
  const FakeServer server;
  const RunResult result = Bench(
      server, {cat_, "--duration", "100ms", "--concurrency", "2", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_GE(json["answered"], 1);
  EXPECT_GE(json["seconds"], 0.05);
}

TEST_F(BenchCommandTest, AQuestionThatIsRefusedEndsBeforeTheLoad) {
  const FakeServer server([](auto&, const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "targets[0]: no");
  });
  const RunResult result = Bench(server, {cat_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "saliency: targets[0]: no\n");
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(server.calls(), 1);
}

TEST_F(BenchCommandTest, WhenAllFailTheExitCodeIsOne) {
  std::atomic<int> calls = 0;
  const FakeServer server([&](auto&, const auto& request, auto& response) {
    return ++calls == 1 ? AnswerWithRamps(request, response)
                        : grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
  });
  const RunResult result = Bench(server, {cat_, "--requests", "5"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("errors: UNAVAILABLE 5 (\"gone\")"));
}

TEST_F(BenchCommandTest, InterruptTellsTheFiguresSoFar) {
  Interrupt interrupt;
  std::atomic<int> calls = 0;
  const FakeServer server(
      [&](grpc::ServerContext& context, const auto& request, auto& response) {
        if (++calls < 4) return AnswerWithRamps(request, response);
        interrupt.Raise();
        while (!context.IsCancelled()) std::this_thread::yield();
        return grpc::Status(grpc::StatusCode::CANCELLED, "caller gone");
      });
  const RunResult result = RunCommand(
      Arguments(server, {cat_, "--requests", "50", "--concurrency", "1"}),
      interrupt);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out, HasSubstr("2 answered"));
  EXPECT_EQ(result.err,
            "saliency: interrupted: 48 of 50 requests have no answer\n");
}

}  // namespace
}  // namespace saliency::bench_command_test
