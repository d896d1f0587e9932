// Meta steps over a real model: rows of strangers in one batch give what each
// alone gives, what is reported is what is returned, and the model stays as it
// was.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/measures.h"
#include "core/engine/engine.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/run/pass_explainer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/cpu_memory.h"
#include "tests/support/fakes.h"
#include "tests/support/tensor_close.h"

namespace saliency::engine_meta_test {
namespace {

using testing::Optional;
using testing::SizeIs;

// Of the row's largest value: rounding of other batch sizes, as in
// engine_model_test.cc.
constexpr double kTolerance = 1e-4;

JobAttribution At(absl::string_view method, std::vector<std::string> layers) {
  return {.attribution = *Attribution::Named(method),
          .layers = std::move(layers)};
}

Job RawJob(int seed, std::vector<JobTarget> targets = {ClassIndex{3}},
           std::vector<JobAttribution> attributions = {
               At("norm_grad", {"layer3"})}) {
  Job job;
  job.input = RandomTensor(seed);
  job.targets = std::move(targets);
  job.attributions = std::move(attributions);
  job.output.size = OutputSize::kLayer;
  job.output.normalise = false;
  return job;
}

Job Stepped(Job job, const JobMetaStep& step) {
  job.meta = step;
  return job;
}

// Jobs of their own kind: other image, target, method, layer and step.
std::vector<Job> Strangers() {
  return {
      Stepped(RawJob(1), {}),
      Stepped(RawJob(2, {ClassIndex{0}, RankFromBottom{}},
                     {At("gradient", {"layer1", "layer4"})}),
              {.epsilon = 0.02}),
      Stepped(RawJob(3, {RankFromTop{1}},
                     {At("linear_approximation", {"layer4"}),
                      At("norm_grad_real_conv", {"layer1.0.conv1"})}),
              {.direction = MetaDirection::kAscent}),
      Stepped(RawJob(4),
              {.epsilon = 0.05, .loss = MetaLoss::kBinaryCrossEntropy}),
      Stepped(RawJob(5, {RankFromTop{}}), {.epsilon = 0}),
  };
}

MapResult ExpectOk(const MapResult& result) {
  EXPECT_TRUE(result.status.ok()) << result.status;
  return result;
}

at::Tensor TensorOf(const MapResult& result) {
  at::Tensor map = at::empty({1, result.height, result.width}, at::kFloat);
  EXPECT_EQ(result.data.size(), map.numel() * sizeof(float));
  std::memcpy(map.data_ptr<float>(), result.data.data(), result.data.size());
  return map;
}

class EngineMetaTest : public testing::Test {
 protected:
  EngineMetaTest() : engine_({}, Clock::Real(), observer_) {
    ServeModel(engine_, LoadTinyResnet());
  }

  absl::StatusOr<Explanation> Explain(Job job) {
    Answers answers(1);
    engine_.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0);
  }

  // All at once, so that they meet in batches.
  std::vector<absl::StatusOr<Explanation>> ExplainAll(std::vector<Job> jobs) {
    Answers answers(static_cast<int>(jobs.size()));
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      engine_.Submit(std::move(jobs[i]), answers.For(static_cast<int>(i)));
    }
    answers.AwaitAll();
    std::vector<absl::StatusOr<Explanation>> all;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      all.push_back(answers.of(static_cast<int>(i)));
    }
    return all;
  }

  RecordingObserver observer_;
  Engine engine_;
};

void ExpectClose(const Explanation& actual, const Explanation& expected) {
  ASSERT_EQ(actual.results.size(), expected.results.size());
  for (std::size_t i = 0; i < actual.results.size(); ++i) {
    const MapResult& a = actual.results[i];
    const MapResult& b = expected.results[i];
    ASSERT_TRUE(a.status.ok()) << a.status;
    ASSERT_TRUE(b.status.ok()) << b.status;
    EXPECT_EQ(a.explained.index, b.explained.index);
    EXPECT_NEAR(a.score, b.score, kTolerance * (1 + std::abs(b.score)));
    EXPECT_TRUE(RowsClose(TensorOf(a), TensorOf(b), kTolerance))
        << a.method << " at " << a.layer;
  }
}

TEST_F(EngineMetaTest, PlainAndSteppedRequestsOfStrangersAreAsSingles) {
  std::vector<Job> jobs = Strangers();
  for (int i = 0; i < 4; ++i) jobs.push_back(RawJob(1 + i));
  std::vector<Explanation> singles;
  for (const Job& job : jobs) singles.push_back(Explain(job).value());
  const auto together = ExplainAll(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_TRUE(together[i].ok()) << together[i].status();
    ExpectClose(*together[i], singles[i]);
  }
}

TEST_F(EngineMetaTest, StepsOfOtherSizesLossesAndDirectionsShareAPass) {
  const std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  const ModelMetadata metadata = MetadataOf(*model);
  std::vector<PreparedJob> prepared;
  for (const Job& job : Strangers()) {
    prepared.push_back(PrepareJob(job, metadata, {}).value());
  }
  std::vector<const PassItem*> items;
  for (const PreparedJob& job : prepared) items.push_back(&job.item);
  PassExplainer explainer(*model->replicas[0], {.max_rows = 64});
  PassExplainer pieces(*model->replicas[0], {.max_rows = 2});
  const PassAnswers batch = explainer.Explain(items).value();
  const PassAnswers chunks = pieces.Explain(items).value();
  for (std::size_t i = 0; i < items.size(); ++i) {
    SCOPED_TRACE(i);
    const PassAnswer single =
        explainer.Explain(absl::MakeConstSpan(&items[i], 1)).value().items[0];
    for (const PassAnswer* answer : {&batch.items[i], &chunks.items[i]}) {
      EXPECT_EQ(answer->class_index, single.class_index);
      const VariantAnswer& got = answer->variants.front();
      const VariantAnswer& want = single.variants.front();
      EXPECT_TRUE(
          RowsClose(got.stepped_logits, want.stepped_logits, kTolerance));
      ASSERT_EQ(got.maps.size(), want.maps.size());
      for (std::size_t m = 0; m < want.maps.size(); ++m) {
        EXPECT_TRUE(RowsClose(got.maps[m]->unsqueeze(0),
                              want.maps[m]->unsqueeze(0), kTolerance))
            << "map " << m;
      }
    }
  }
}

TEST_F(EngineMetaTest, AStepOfSizeZeroIsThePlainMapBitForBit) {
  const Explanation plain = Explain(RawJob(7)).value();
  const Explanation stepped =
      Explain(Stepped(RawJob(7), {.epsilon = 0})).value();
  EXPECT_EQ(stepped.results[0].data, plain.results[0].data);
  EXPECT_EQ(stepped.results[0].score, plain.results[0].score);
  EXPECT_EQ(stepped.results[0].explained.logit,
            plain.results[0].explained.logit);
}

TEST_F(EngineMetaTest, AStepChangesTheMapAndDescentMakesTheModelSurer) {
  const float plain = Explain(RawJob(8)).value().results[0].score;
  const auto score_after = [&](MetaDirection direction) {
    return Explain(Stepped(RawJob(8), {.direction = direction}))
        .value()
        .results[0]
        .score;
  };
  EXPECT_GT(score_after(MetaDirection::kDescent), plain);
  EXPECT_LT(score_after(MetaDirection::kAscent), plain);
}

TEST_F(EngineMetaTest, PlainMapsAndCorrelationsAreThoseOfSingleRequests) {
  Job job = Stepped(RawJob(9, {RankFromTop{}, ClassIndex{2}},
                           {At("norm_grad", {"layer1", "layer3"})}),
                    {.epsilon = 0.05});
  job.combinations = {{.attribution = *Attribution::Named("norm_grad"),
                       .layers = {"layer1", "layer3"}}};
  job.output.size = OutputSize::kModelInput;
  job.plain_maps = true;
  job.correlate = Correlate::kPlain;
  const Explanation both = Explain(job).value();
  Job plain_job = job;
  plain_job.meta.reset();
  plain_job.correlate = Correlate::kNone;
  const Explanation plain = Explain(plain_job).value();
  ASSERT_THAT(both.plain_results, SizeIs(4));
  ASSERT_THAT(both.correlations, SizeIs(4));
  for (std::size_t i = 0; i < 4; ++i) {
    SCOPED_TRACE(i);
    const at::Tensor at_theta = TensorOf(ExpectOk(both.plain_results[i]));
    EXPECT_TRUE(RowsClose(at_theta, TensorOf(plain.results[i]), kTolerance));
    EXPECT_EQ(both.plain_results[i].explained.index,
              both.results[i].explained.index);
    EXPECT_NEAR(both.plain_results[i].score, plain.results[i].score, 1e-3);
    EXPECT_THAT(both.correlations[i],
                Optional(*Spearman(TensorOf(both.results[i]), at_theta)[0]));
    EXPECT_LT(*both.correlations[i], 1);
  }
  ASSERT_THAT(both.plain_combined, SizeIs(2));
  ASSERT_THAT(both.combined_correlations, SizeIs(2));
  EXPECT_THAT(both.combined_correlations[1],
              Optional(*Spearman(TensorOf(both.combined[1].map),
                                 TensorOf(both.plain_combined[1].map))[0]));
}

TEST_F(EngineMetaTest, ClassesAreComparedInOnePass) {
  Job job = RawJob(10, {RankFromTop{}, RankFromBottom{}},
                   {At("linear_approximation", {"layer1", "layer4"})});
  job.output.size = OutputSize::kModelInput;
  job.correlate = Correlate::kTargets;
  for (const bool stepped : {false, true}) {
    SCOPED_TRACE(stepped);
    if (stepped) job.meta = JobMetaStep();
    const Explanation answer = Explain(job).value();
    EXPECT_EQ(answer.batch_rows, 2);
    ASSERT_THAT(answer.results, SizeIs(4));
    ASSERT_THAT(answer.correlations, SizeIs(2));
    for (std::size_t layer = 0; layer < 2; ++layer) {
      EXPECT_THAT(answer.correlations[layer],
                  Optional(*Spearman(TensorOf(answer.results[layer]),
                                     TensorOf(answer.results[2 + layer]))[0]));
    }
  }
}

// A real explainer that now and then runs out of memory or throws instead.
class FlakyExplainer final : public Explainer {
 public:
  explicit FlakyExplainer(std::unique_ptr<Explainer> real)
      : real_(std::move(real)) {}

  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override {
    const int turn = turn_++;
    if (turn % 7 == 3) return absl::ResourceExhaustedError("no memory");
    if (turn % 11 == 5) throw std::runtime_error("a library's own words");
    absl::StatusOr<PassAnswers> answers = real_->Explain(items);
    // What was computed is lost after it was.
    if (turn % 13 == 8) return absl::ResourceExhaustedError("no memory");
    return answers;
  }

 private:
  const std::unique_ptr<Explainer> real_;
  int turn_ = 0;
};

// Call `i` of the mixture.
Job Mixed(int i) {
  const std::vector<Job> strangers = Strangers();
  Job job = RawJob(1000 + i);
  if (i % 8 < 5) {
    job = strangers[i % strangers.size()];
    job.plain_maps = i % 3 == 0;
  } else if (i % 8 == 5) {  // fails before the pass
    job.meta = JobMetaStep{.epsilon = 2};
  } else if (i % 8 == 6) {  // leaves while it waits or runs
    job.meta = JobMetaStep{.epsilon = 1};
    job.cancel = std::make_shared<CancelToken>();
  }
  return job;
}

// 500 calls; SALIENCY_META_CALLS=10000 for more.
int MixedCalls() {
  const char* calls = std::getenv("SALIENCY_META_CALLS");
  return calls == nullptr ? 500 : std::atoi(calls);
}

TEST(EngineMetaMixtureTest, LeavesTheModelAsItWasWhateverHappens) {
  const CpuMemory& memory = CpuMemory::Watch();
  const int64_t first_tensor = memory.made();
  const std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  const int64_t last_tensor = memory.made();
  const uint64_t digest = memory.Digest(first_tensor, last_tensor);
  // Every layer, so that no parameter could change unseen.
  std::vector<PassAttribution> everywhere;
  for (const LayerInfo& layer : model->replicas[0]->layers()) {
    if (!layer.spatial()) continue;
    everywhere.push_back(
        {.attribution = *Attribution::Named("linear_approximation"),
         .layer = layer.name});
  }
  // One target at a time: of several the model chooses by its clock between two
  // ways to run them, which round differently.
  const auto fingerprint = [&] {
    std::vector<at::Tensor> values;
    for (const int64_t target : {0, 9}) {
      PassItem item = {.input = at::ones({1, 3, kTinyHeight, kTinyWidth}),
                       .targets = {ClassIndex{target}},
                       .variants = {{.attributions = everywhere}}};
      const PassItem* const items[] = {&item};
      PassExplainer explainer(*model->replicas[0], {});
      PassAnswer answer = explainer.Explain(items).value().items[0];
      values.push_back(answer.logits.reshape(-1));
      for (const auto& map : answer.variants.front().maps) {
        values.push_back(map->reshape(-1));
      }
    }
    return at::cat(values);
  };
  const at::Tensor before = fingerprint();
  const int calls = MixedCalls();
  int succeeded = 0;
  {
    RecordingObserver observer;
    Engine engine({}, Clock::Real(), observer);
    std::vector<std::unique_ptr<Explainer>> explainers;
    explainers.push_back(
        std::make_unique<FlakyExplainer>(std::make_unique<PassExplainer>(
            *model->replicas[0], PassExplainer::Options())));
    ServeModel(engine, MetadataOf(*model), std::move(explainers), nullptr);
    constexpr int kAtOnce = 100;  // below the queue's bound
    for (int first = 0; first < calls; first += kAtOnce) {
      const int count = std::min(kAtOnce, calls - first);
      Answers answers(count);
      for (int i = 0; i < count; ++i) {
        Job job = Mixed(first + i);
        const std::shared_ptr<CancelToken> cancel = job.cancel;
        engine.Submit(std::move(job), answers.For(i));
        if (cancel != nullptr && i % 16 < 8) cancel->Cancel();
      }
      answers.AwaitAll();
      EXPECT_EQ(answers.total(), count);
      for (int i = 0; i < count; ++i) {
        if (answers.of(i).ok()) ++succeeded;
      }
    }
  }
  EXPECT_GT(succeeded, calls / 4);
  EXPECT_LT(succeeded, calls) << "or nothing was mixed";
  EXPECT_EQ(memory.Digest(first_tensor, last_tensor), digest)
      << "parameters or buffers";
  EXPECT_TRUE(Identical(fingerprint(), before));
}

}  // namespace
}  // namespace saliency::engine_meta_test
