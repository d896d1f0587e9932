// Every submission is answered exactly once, whatever goes wrong: seeded random
// faults of every kind, many callers, several workers, a drain in the middle.

#include <algorithm>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/engine/engine.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::engine_stress_test {
namespace {

constexpr int kCallers = 4;
constexpr int kJobsPerCaller = 60;
constexpr int kJobs = kCallers * kJobsPerCaller;

// What an id brings about; ids are drawn so that each kind occurs.
enum class Fault { kNone, kThrow, kError, kOutOfMemory, kBadInput };

Fault FaultOf(int id) {
  switch (id % 11) {
    case 3:
      return Fault::kThrow;
    case 5:
      return Fault::kError;
    case 7:
      return Fault::kOutOfMemory;
    case 9:
      return Fault::kBadInput;
    default:
      return Fault::kNone;
  }
}

absl::Status Misbehave(const std::vector<int>& ids) {
  if (ids.size() > 5) return absl::ResourceExhaustedError("device");
  for (const int id : ids) {
    switch (FaultOf(id)) {
      case Fault::kThrow:
        throw std::runtime_error("fault");
      case Fault::kError:
        return absl::FailedPreconditionError("no gradient");
      case Fault::kOutOfMemory:
        return absl::ResourceExhaustedError("device");
      default:
        break;
    }
  }
  return absl::OkStatus();
}

// The codes a job may end with when nobody cancels, expires or drains it.
absl::StatusCode Expected(int id) {
  switch (FaultOf(id)) {
    case Fault::kThrow:
      return absl::StatusCode::kInternal;
    case Fault::kError:
      return absl::StatusCode::kFailedPrecondition;
    case Fault::kOutOfMemory:
      return absl::StatusCode::kResourceExhausted;
    case Fault::kBadInput:
      return absl::StatusCode::kInvalidArgument;
    case Fault::kNone:
      break;
  }
  return absl::StatusCode::kOk;
}

std::unique_ptr<Engine> ServeByTwo(ExplainerLog& log, EngineObserver& observer,
                                   const Engine::Options& options) {
  auto engine = std::make_unique<Engine>(options, Clock::Real(), observer);
  std::vector<std::unique_ptr<Explainer>> explainers;
  for (int i = 0; i < 2; ++i) {
    explainers.push_back(std::make_unique<FakeExplainer>(log, &Misbehave));
  }
  ModelMetadata model = FakeModel();
  model.config.batching.max_rows = 8;
  ServeModel(*engine, std::move(model), std::move(explainers), nullptr);
  return engine;
}

Job FaultyJob(int id, std::mt19937& random) {
  Job job = FakeJob(id, random() % 2 == 0 ? 8 : 4);
  if (FaultOf(id) == Fault::kBadInput) job.targets = {ClassIndex{99}};
  return job;
}

TEST(EngineStressTest, EachJobFailsOrSucceedsByItsOwnFaultAlone) {
  ExplainerLog log;
  EngineObserver observer;
  Answers answers(kJobs);
  {
    const auto engine =
        ServeByTwo(log, observer, {.limits = {.queue_items = kJobs}});
    std::mt19937 random(1);
    for (int id = 0; id < kJobs; ++id) {
      engine->Submit(FaultyJob(id, random), answers.For(id));
    }
    answers.AwaitAll();
    ASSERT_TRUE(engine->Drain(absl::InfiniteFuture()));
    EXPECT_EQ(engine->load().queued_items, 0);
    EXPECT_EQ(engine->load().in_flight, 0);
  }
  EXPECT_EQ(answers.total(), kJobs);
  for (int id = 0; id < kJobs; ++id) {
    const absl::StatusOr<Explanation> answer = answers.of(id);
    EXPECT_EQ(answer.status().code(), Expected(id)) << id;
    if (answer.ok()) {
      EXPECT_EQ(answer->results[0].raw_min, id);
    }
  }
}

// One caller: cancels a third of its jobs, gives a third a tight deadline.
void Call(Engine& engine, Answers& answers, int caller, int seed) {
  std::mt19937 random(seed * 100 + caller);
  for (int i = 0; i < kJobsPerCaller; ++i) {
    const int id = caller * kJobsPerCaller + i;
    Job job = FaultyJob(id, random);
    const auto cancel = std::make_shared<CancelToken>();
    job.cancel = cancel;
    if (random() % 3 == 0) {
      job.deadline = absl::Now() + absl::Microseconds(random() % 3000);
    }
    engine.Submit(std::move(job), answers.For(id));
    if (random() % 3 == 0) cancel->Cancel();
    if (random() % 4 == 0) std::this_thread::yield();
  }
}

TEST(EngineStressTest, AnswersEqualSubmissionsWhenDrainedMidway) {
  for (int seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE(seed);
    ExplainerLog log;
    EngineObserver observer;
    Answers answers(kJobs);
    {
      const auto engine =
          ServeByTwo(log, observer, {.limits = {.queue_items = 32}});
      std::vector<std::thread> callers;
      for (int caller = 0; caller < kCallers; ++caller) {
        callers.emplace_back(
            [&, caller] { Call(*engine, answers, caller, seed); });
      }
      if (seed % 3 == 1) {
        answers.Await(kJobsPerCaller / 2);
        engine->Drain(absl::Now() + absl::Milliseconds(seed));
      }
      for (std::thread& caller : callers) caller.join();
      if (seed % 3 == 2) answers.AwaitAll();
    }
    EXPECT_EQ(answers.total(), kJobs);
    for (int id = 0; id < kJobs; ++id) EXPECT_TRUE(answers.has(id)) << id;
  }
}

TEST(EngineStressTest, ReplacingAModelUnderLoadLosesNothing) {
  ExplainerLog log;
  EngineObserver observer;
  Answers answers(kJobs);
  const auto engine =
      ServeByTwo(log, observer, {.limits = {.queue_items = kJobs}});
  std::thread reloader([&] {
    for (int i = 0; i < 50; ++i) {
      std::vector<std::unique_ptr<Explainer>> explainers;
      explainers.push_back(std::make_unique<FakeExplainer>(log, &Misbehave));
      ServeModel(*engine, FakeModel(), std::move(explainers), nullptr);
    }
  });
  std::mt19937 random(1);
  for (int id = 0; id < kJobs; ++id) {
    engine->Submit(FaultyJob(id, random), answers.For(id));
  }
  reloader.join();
  answers.AwaitAll();
  for (int id = 0; id < kJobs; ++id) {
    EXPECT_EQ(answers.of(id).status().code(), Expected(id)) << id;
  }
  EXPECT_EQ(answers.total(), kJobs);
}

}  // namespace
}  // namespace saliency::engine_stress_test
