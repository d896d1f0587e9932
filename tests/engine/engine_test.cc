// The engine over a fake explainer: what runs together, what a fault costs, and
// which model answers.

#include "core/engine/engine.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/fakes.h"

namespace saliency::engine_test {
namespace {

using absl::StatusCode;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(EngineTest, AnswersAJob) {
  const auto engine = Serve();
  engine->Submit(FakeJob(5), answers_.For(0));
  answers_.Await(0);
  const Explanation answer = answers_.of(0).value();
  ASSERT_EQ(answer.results.size(), 1);
  EXPECT_EQ(answer.results[0].raw_min, 5);
  EXPECT_EQ(answer.results[0].raw_max, 8);
  EXPECT_EQ(answer.batch_requests, 1);
  EXPECT_EQ(answer.batch_rows, 1);
  EXPECT_EQ(answer.images[0].top.size(), 5);
}

// The pool's threads, which compute alone, have set theirs before.
TEST_F(EngineTest, AReplicaComputesOnTheThreadsThatTheEngineWasGiven) {
  at::set_num_threads(3);
  std::atomic<int> threads = 0;
  const auto engine = Serve([&](const std::vector<int>&) {
    threads = at::get_num_threads();
    return absl::OkStatus();
  });
  engine->Submit(FakeJob(0), answers_.For(0));
  answers_.Await(0);
  EXPECT_EQ(threads, 3);
}

TEST_F(EngineTest, SixteenCompatibleRequestsRunAsOneBatch) {
  const auto engine = Serve(nullptr, {}, absl::Hours(1));
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back(
        [&, i] { engine->Submit(FakeJob(i), answers_.For(i)); });
  }
  for (std::thread& caller : callers) caller.join();
  for (int i = 0; i < 16; ++i) answers_.Await(i);
  EXPECT_THAT(log_.Batches(), ElementsAre(SizeIs(16)));
  EXPECT_THAT(observer_.lines(), Contains("batch fake 16 16"));
  for (int i = 0; i < 16; ++i) {
    const Explanation answer = answers_.of(i).value();
    EXPECT_EQ(answer.batch_requests, 16);
    EXPECT_EQ(answer.results[0].raw_min, i);
  }
}

TEST_F(EngineTest, InputsOfDifferentSizesDoNotMix) {
  const auto engine = Serve(HoldAtGate());
  engine->Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  for (int i = 1; i < 9; ++i) {
    engine->Submit(i % 2 == 0 ? FakeJob(i, 8, 8) : FakeJob(i, 8, 16),
                   answers_.For(i));
  }
  gate_.Open();
  for (int i = 0; i < 9; ++i) answers_.Await(i);
  for (const std::vector<int>& batch : log_.Batches()) {
    std::set<int> parities;
    for (const int id : batch) parities.insert(id % 2);
    EXPECT_THAT(parities, SizeIs(1));
  }
}

TEST_F(EngineTest, ModelsThatMixRowsGetOneRequestAtATime) {
  Engine engine({}, clock_, observer_);
  ModelMetadata model = FakeModel();
  model.self_check.rows_independent = false;
  model.config.batching.max_delay = absl::Hours(1);
  AddFake(engine, std::move(model));
  for (int i = 0; i < 4; ++i) engine.Submit(FakeJob(i), answers_.For(i));
  for (int i = 0; i < 4; ++i) answers_.Await(i);
  EXPECT_THAT(log_.Batches(), testing::Each(SizeIs(1)));
}

TEST_F(EngineTest, OnlyThePoisonedItemFails) {
  const auto engine = Serve(
      [](const std::vector<int>& ids) {
        if (std::find(ids.begin(), ids.end(), 11) != ids.end()) {
          throw std::runtime_error("poison from /a/path");
        }
        return absl::OkStatus();
      },
      {}, absl::Hours(1));
  for (int i = 0; i < 16; ++i) engine->Submit(FakeJob(i), answers_.For(i));
  for (int i = 0; i < 16; ++i) answers_.Await(i);
  for (int i = 0; i < 16; ++i) {
    if (i == 11) continue;
    EXPECT_EQ(answers_.of(i).value().results[0].raw_min, i);
  }
  EXPECT_EQ(answers_.of(11).status(),
            absl::InternalError("internal error, request id \"request-11\""));
  EXPECT_THAT(observer_.lines(),
              Contains("fault request-11: poison from /a/path"));
}

TEST_F(EngineTest, ALostDeviceAnswersEverythingOfItsModel) {
  Engine engine({}, clock_, observer_);
  AddFake(engine, FakeModel(), [this](const std::vector<int>& ids) {
    gate_.Pass();
    return absl::UnavailableError("lost");
  });
  ModelMetadata other = FakeModel();
  other.name = "other";
  AddFake(engine, std::move(other));
  engine.Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  engine.Submit(FakeJob(1), answers_.For(1));
  gate_.Open();
  answers_.Await(0);
  answers_.Await(1);
  EXPECT_EQ(CodeOf(0), StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(1), StatusCode::kUnavailable);
  EXPECT_THAT(observer_.lines(), Contains("device lost cpu"));
  engine.Submit(FakeJob(2), answers_.For(2));
  answers_.Await(2);
  EXPECT_EQ(CodeOf(2), StatusCode::kUnavailable);
  Job job = FakeJob(3);
  job.model = "other";
  engine.Submit(std::move(job), answers_.For(3));
  answers_.Await(3);
  EXPECT_TRUE(answers_.of(3).ok());
}

TEST_F(EngineTest, BadInputIsAnsweredWithoutAPass) {
  const auto engine = Serve();
  Job job = FakeJob(0);
  job.targets = {ClassIndex{10}};
  engine->Submit(std::move(job), answers_.For(0));
  job = FakeJob(1);
  std::get<TensorInput>(job.input).data.clear();
  engine->Submit(std::move(job), answers_.For(1));
  answers_.Await(0);
  answers_.Await(1);
  EXPECT_EQ(CodeOf(0), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(1), StatusCode::kInvalidArgument);
  EXPECT_THAT(log_.Batches(), IsEmpty());
  EXPECT_TRUE(engine->Drain(absl::InfiniteFuture()));
  EXPECT_EQ(engine->load().queued_items, 0);
}

TEST_F(EngineTest, ModelsAreFoundByNameAndVersion) {
  Engine engine({}, clock_, observer_);
  engine.models().MarkListed();
  EXPECT_EQ(engine.models().FindReady("", 0).status(),
            absl::NotFoundError("the server has no models"));
  for (const int64_t version : {1, 3}) {
    ModelMetadata model = FakeModel();
    model.version = version;
    AddFake(engine, std::move(model));
  }
  EXPECT_EQ((*engine.models().FindReady("", 0))->version, 3);
  EXPECT_EQ((*engine.models().FindReady("fake", 1))->version, 1);
  EXPECT_EQ(engine.models().FindReady("fake", 2).status(),
            absl::NotFoundError("model \"fake\": version \"2\" not found; "
                                "nearest: \"1\", \"3\""));
  EXPECT_EQ(
      engine.models().FindReady("fakir", 0).status(),
      absl::NotFoundError("model \"fakir\" not found; nearest: \"fake\""));
  ModelMetadata other = FakeModel();
  other.name = "other";
  AddFake(engine, std::move(other));
  EXPECT_EQ(engine.models().FindReady("", 0).status(),
            absl::InvalidArgumentError(
                "model.name: not set, but the server has 2 models: "
                "\"fake\", \"other\""));
  EXPECT_TRUE(engine.models().Remove("fake", 3).ok());
  EXPECT_EQ((*engine.models().FindReady("fake", 0))->version, 1);
  EXPECT_EQ(engine.models().Remove("fake", 3).code(), StatusCode::kNotFound);
  engine.Submit(FakeJob(0), answers_.For(0));
  answers_.Await(0);
  EXPECT_EQ(answers_.of(0)->version, 1);
}

TEST_F(EngineTest, AReplacedVersionFinishesItsWorkAndIsReleased) {
  Engine engine({}, clock_, observer_);
  auto alive = std::make_shared<int>(0);
  const std::weak_ptr<int> old = alive;
  std::vector<std::unique_ptr<Explainer>> explainers;
  explainers.push_back(std::make_unique<FakeExplainer>(log_, HoldAtGate()));
  ServeModel(engine, FakeModel(), std::move(explainers), std::move(alive));
  engine.Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  engine.Submit(FakeJob(1), answers_.For(1));
  AddFake(engine, FakeModel());
  engine.Submit(FakeJob(2), answers_.For(2));
  answers_.Await(2);
  EXPECT_FALSE(answers_.has(0));
  EXPECT_FALSE(old.expired());
  gate_.Open();
  answers_.Await(0);
  answers_.Await(1);
  EXPECT_TRUE(answers_.of(1).ok());
  // The worker lets go of the model when it has found its queue at an end.
  while (!old.expired()) std::this_thread::yield();
}

TEST_F(EngineTest, ARemovedVersionFinishesItsWorkAndIsReleased) {
  Engine engine({}, clock_, observer_);
  engine.models().MarkListed();
  auto alive = std::make_shared<int>(0);
  const std::weak_ptr<int> old = alive;
  std::vector<std::unique_ptr<Explainer>> explainers;
  explainers.push_back(std::make_unique<FakeExplainer>(log_, HoldAtGate()));
  ServeModel(engine, FakeModel(), std::move(explainers), std::move(alive));
  std::optional<ModelTable::Entry> held = *engine.models().Find("fake", 1);
  engine.Submit(FakeJob(0), answers_.For(0));
  gate_.AwaitArrivals(1);
  engine.Submit(FakeJob(1), answers_.For(1));
  ASSERT_TRUE(engine.models().Remove("fake", 1).ok());
  engine.Submit(FakeJob(2), answers_.For(2));
  answers_.Await(2);
  EXPECT_EQ(CodeOf(2), StatusCode::kNotFound);
  gate_.Open();
  answers_.Await(0);
  answers_.Await(1);
  EXPECT_TRUE(answers_.of(0).ok());
  EXPECT_TRUE(answers_.of(1).ok());
  engine.SubmitTo(*held, FakeJob(3), answers_.For(3));
  answers_.Await(3);
  EXPECT_TRUE(answers_.of(3).ok()) << "whoever found it may still ask it";
  EXPECT_FALSE(old.expired());
  held.reset();
  while (!old.expired()) std::this_thread::yield();
}

TEST_F(EngineTest, AVersionIsAskedBeforeItIsPublished) {
  Engine engine({}, clock_, observer_);
  engine.models().Reserve("fake", 1);
  std::vector<std::unique_ptr<Explainer>> explainers;
  explainers.push_back(std::make_unique<FakeExplainer>(log_, nullptr));
  const ModelTable::Entry started = {
      std::make_shared<const ModelVersion>(ModelVersion{
          .model = "fake",
          .version = 1,
          .metadata = std::make_shared<const ModelMetadata>(FakeModel())}),
      engine.StartModel(FakeModel(), std::move(explainers), nullptr)};
  engine.Submit(FakeJob(0), answers_.For(0));
  engine.SubmitTo(started, FakeJob(1), answers_.For(1));
  answers_.Await(0);
  answers_.Await(1);
  EXPECT_EQ(CodeOf(0), StatusCode::kUnavailable) << "it is loading";
  EXPECT_TRUE(answers_.of(1).ok());
  engine.models().Publish(*started.version, started.served);
  engine.Submit(FakeJob(2), answers_.For(2));
  answers_.Await(2);
  EXPECT_TRUE(answers_.of(2).ok());
}

TEST_F(EngineTest, ACallbackMaySubmitTheNextJob) {
  const auto engine = Serve();
  engine->Submit(FakeJob(0), [&](absl::StatusOr<Explanation> first) {
    engine->Submit(FakeJob(1), answers_.For(1));
    answers_.For(0)(std::move(first));
  });
  answers_.Await(1);
  EXPECT_TRUE(answers_.of(1).ok());
}

TEST_F(EngineTest, TheTimeInTheQueueIsReported) {
  const auto engine = Serve(nullptr, {}, absl::Seconds(3));
  engine->Submit(FakeJob(0), answers_.For(0));
  clock_.AwaitTimedWaiters(1);
  clock_.Advance(absl::Seconds(3));
  answers_.Await(0);
  EXPECT_EQ(answers_.of(0)->times.queue, absl::Seconds(3));
}

}  // namespace
}  // namespace saliency::engine_test
