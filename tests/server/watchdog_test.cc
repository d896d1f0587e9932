// A clock that stands still, and work that does or does not go on.

#include "server/watchdog.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"
#include "tests/support/fakes.h"

namespace saliency {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class WatchdogTest : public testing::Test {
 protected:
  WatchdogTest() {
    registry_.Publish(
        {{"", Health::kServing}, {"model/net", Health::kServing}});
  }

  // Lets the watchdog look once more, `after` from now, and waits until it has.
  void Look(absl::Duration after) {
    clock_.AwaitTimedWaiters(1);
    const int before = looks_;
    clock_.Advance(after);
    while (looks_ == before) std::this_thread::yield();
    clock_.AwaitTimedWaiters(1);
  }

  Watchdog::Options Options() {
    return {.timeout = absl::Seconds(100), .on_stall = [this] { ++stalls_; }};
  }
  std::optional<IdleWork> Longest() {
    const std::optional<IdleWork> longest = work_.LongestIdle();
    ++looks_;
    return longest;
  }

  FakeClock clock_;
  HealthRegistry registry_;
  LogLines lines_;
  Log log_{LogFormat::kJson, LogLevel::kDebug, lines_.Sink()};
  WorkInHand work_{clock_};
  std::atomic<int> looks_ = 0;
  std::atomic<int> stalls_ = 0;
};

TEST_F(WatchdogTest, AStallTurnsHealthOffUntilThereIsProgress) {
  const Watchdog dog(Options(), clock_, registry_, log_,
                     [this] { return Longest(); });
  {
    const WorkInHand::Piece piece = work_.Begin("a pass of model \"net\"");
    Look(absl::Seconds(99));
    EXPECT_EQ(registry_.Get(""), Health::kServing);
    Look(absl::Seconds(10));
    EXPECT_EQ(registry_.Get(""), Health::kNotServing);
    EXPECT_EQ(registry_.Get("model/net"), Health::kNotServing);
    Look(absl::Seconds(10));
  }
  EXPECT_EQ(stalls_, 1);
  EXPECT_THAT(lines_.all(),
              Contains(AllOf(HasSubstr("no progress"), HasSubstr("model"))));
  Look(absl::Seconds(10));
  EXPECT_EQ(registry_.Get(""), Health::kServing);
  EXPECT_THAT(lines_.all(), Contains(HasSubstr("progress again")));
}

TEST_F(WatchdogTest, LongWorkThatGoesOnIsNoStall) {
  const Watchdog dog(Options(), clock_, registry_, log_,
                     [this] { return Longest(); });
  std::atomic<int64_t> passes = 0;
  const WorkInHand::Piece piece =
      work_.Begin("a pass", [&] { return passes.load(); });
  for (int i = 0; i < 10; ++i) {
    ++passes;
    Look(absl::Seconds(60));
  }
  EXPECT_EQ(registry_.Get(""), Health::kServing);
  EXPECT_EQ(stalls_, 0);
}

TEST_F(WatchdogTest, AServerWithoutWorkIsNoStall) {
  const Watchdog dog(Options(), clock_, registry_, log_,
                     [this] { return Longest(); });
  Look(absl::Hours(1000));
  EXPECT_EQ(registry_.Get(""), Health::kServing);
  EXPECT_THAT(lines_.all(), Not(Contains(HasSubstr("no progress"))));
}

// The whole way: a model that loops, in a running server.
TEST(StalledServerTest, AWorkerThatHangsShowsInTheEngine) {
  Gate gate;
  TestServer server({.hook = [&gate](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  }});
  server.AddFakeModel();
  EXPECT_FALSE(server.engine().LongestIdle().has_value());
  std::thread caller([&] {
    grpc::ClientContext context;
    v1::ComputeSaliencyResponse response;
    EXPECT_TRUE(server.saliency()
                    .ComputeSaliency(&context, FakeRequest(), &response)
                    .ok());
  });
  gate.AwaitArrivals(1);
  // The thread that decoded the image may still be about to leave.
  std::string what;
  while (what.find("decoding") != std::string::npos || what.empty()) {
    const std::optional<IdleWork> idle = server.engine().LongestIdle();
    ASSERT_TRUE(idle.has_value());
    what = idle->what;
  }
  EXPECT_EQ(what, "a pass of model \"fake\" version 1");
  gate.Open();
  caller.join();
}

TEST(StalledServerTest, AWeightStudyThatHangsShowsInTheEngine) {
  Gate gate;
  ExplainerLog passes;
  const FakeExplainer::Hook hang = [&gate](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  };
  TestServer server({.copies = [&](const ModelVersion&, uint64_t) -> CopyModel {
    return [&](absl::Span<const std::string>) -> absl::StatusOr<ModelCopy> {
      return ModelCopy{
          .explainer = std::make_unique<FakeExplainer>(passes, hang),
          .parameter_names = {"a.weight"}};
    };
  }});
  server.AddFakeModel();
  v1::MeasureWeightSensitivityRequest question;
  *question.mutable_input() = FakeRequest().input();
  *question.mutable_attributions() = FakeRequest().attributions();
  grpc::ClientContext context;
  const auto study =
      server.saliency().MeasureWeightSensitivity(&context, question);
  gate.AwaitArrivals(1);
  const std::optional<IdleWork> idle = server.engine().LongestIdle();
  ASSERT_TRUE(idle.has_value());
  EXPECT_EQ(idle->what, "a pass of a weight study of model \"fake\" version 1");
  gate.Open();
  v1::MeasureWeightSensitivityResponse stage;
  while (study->Read(&stage)) {
  }
  EXPECT_TRUE(study->Finish().ok());
  EXPECT_FALSE(server.engine().LongestIdle().has_value());
}

}  // namespace
}  // namespace saliency
