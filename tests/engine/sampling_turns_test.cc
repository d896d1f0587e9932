// Whoever comes while a job of many samples runs waits for a pass, and not for
// the job.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "core/engine/engine.h"
#include "core/engine/run/pass_explainer.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/fakes.h"

namespace saliency::sampling_turns_test {
namespace {

// Tells of each pass before it runs: its number from 0, and what is in it.
class WatchedExplainer final : public Explainer {
 public:
  using Watch = std::function<void(int64_t pass,
                                   absl::Span<const PassItem* const> items)>;

  WatchedExplainer(ProbedModel& model, Watch watch)
      : real_(model, {.max_rows = 16}), watch_(std::move(watch)) {}

  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override {
    watch_(passes_++, items);
    return real_.Explain(items);
  }

 private:
  PassExplainer real_;
  const Watch watch_;
  int64_t passes_ = 0;
};

// Notifies when a second job has been decoded.
class SecondDecode final : public EngineObserver {
 public:
  void OnStage(absl::string_view stage, absl::Duration /*took*/) override {
    if (stage == "decode" && ++decoded_ == 2) second_.Notify();
  }
  void Await() { second_.WaitForNotification(); }

 private:
  std::atomic<int> decoded_ = 0;
  absl::Notification second_;
};

class SamplingTurnsTest : public SampledJobsTest {
 protected:
  // How many passes start after a light job has been decoded until its own
  // does, while `heavy` runs; `passes`: how many there are in all.
  int64_t PassesBeforeALightJob(const Attribution& heavy, int64_t& passes) {
    constexpr int64_t kComes = 3;  // during this pass
    int64_t its_own = -1;
    SecondDecode observer;
    Answers answers(2);
    Engine* engine_pointer = nullptr;
    Job light = JobOf(2, {{*Attribution::Named("norm_grad"), {"layer4"}}});
    light.targets = {ClassIndex{0}, ClassIndex{1}};  // by this it is known
    const auto watch = [&](int64_t pass,
                           absl::Span<const PassItem* const> items) {
      passes = pass + 1;
      if (pass == kComes) {
        engine_pointer->Submit(light, answers.For(1));
        observer.Await();
      }
      for (const PassItem* item : items) {
        if (item->targets.size() == 2 && its_own < 0) its_own = pass;
      }
    };
    Engine engine({}, Clock::Real(), observer);
    engine_pointer = &engine;
    std::vector<std::unique_ptr<Explainer>> explainers;
    explainers.push_back(
        std::make_unique<WatchedExplainer>(*model_->replicas.front(), watch));
    ServeModel(engine, MetadataOf(*model_), std::move(explainers), model_);
    engine.Submit(JobOf(1, {{heavy, {"input"}}}), answers.For(0));
    answers.AwaitAll();
    EXPECT_TRUE(answers.of(0).ok()) << answers.of(0).status();
    EXPECT_TRUE(answers.of(1).ok()) << answers.of(1).status();
    return its_own - kComes;
  }
};

// The pass under way, and one that a worker may have drawn before the light job
// was in its queue.
constexpr int64_t kMostPasses = 2;

TEST_F(SamplingTurnsTest, ALightJobWaitsForAPassOfRise) {
  int64_t passes = 0;
  const int64_t waited = PassesBeforeALightJob(
      *Attribution::Perturbed(Rise{.masks = 4000}), passes);
  EXPECT_GE(waited, 1);
  EXPECT_LE(waited, kMostPasses);
  EXPECT_GT(passes, 200);
}

TEST_F(SamplingTurnsTest, ALightJobWaitsForAPassOfIntegratedGradients) {
  int64_t passes = 0;
  const int64_t waited =
      PassesBeforeALightJob(*Attribution::Integrated({.steps = 500}), passes);
  EXPECT_GE(waited, 1);
  EXPECT_LE(waited, kMostPasses);
  EXPECT_GT(passes, 25);
}

}  // namespace
}  // namespace saliency::sampling_turns_test
