// Combinations over a real model: what they share with strangers' requests and
// with each other gives what each alone gives.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/combine.h"
#include "core/engine/engine.h"
#include "core/engine/finish/finish.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/run/pass_chunk.h"
#include "core/engine/run/pass_explainer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/fakes.h"

namespace saliency::engine_combine_test {
namespace {

// Of batches against singles: as in engine_model_test.cc, on maps in [0,1].
constexpr float kTolerance = 1e-4F;

const std::vector<std::string> kLayers = {"layer1", "layer2", "layer3",
                                          "layer4"};

// tiny_resnet with weights for each of its layers.
std::shared_ptr<LoadedModel> LoadCalibrated() {
  std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  model->config.combine_layers = kLayers;
  model->config.batching.max_rows = 64;
  for (std::size_t i = 0; i < kLayers.size(); ++i) {
    model->layer_weights.layers.push_back(
        {.layer = kLayers[i],
         .feature_spread = 1.0 / static_cast<double>(i + 1),
         .classification_accuracy = 0.2 * static_cast<double>(i + 1)});
  }
  return model;
}

JobCombination Combine(absl::string_view method, Weighting weighting,
                       CombineRule rule, std::vector<std::string> layers = {}) {
  return {.attribution = *Attribution::Named(method),
          .layers = std::move(layers),
          .weighting = weighting,
          .rule = rule};
}

// Every weighting that needs no numbers of the caller's, by both rules.
std::vector<JobCombination> AllCombinations(absl::string_view method) {
  std::vector<JobCombination> all;
  for (const Weighting weighting :
       {Weighting::kUniform, Weighting::kLinear, Weighting::kFeatureSpread,
        Weighting::kClassificationAccuracy}) {
    for (const CombineRule rule : {CombineRule::kSum, CombineRule::kProduct}) {
      all.push_back(Combine(method, weighting, rule));
    }
  }
  return all;
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Products have infinite slope at 0: their smallest pixels may differ visibly.
void ExpectClose(const MapResult& actual, const MapResult& expected,
                 double allowed_far) {
  ASSERT_TRUE(actual.status.ok()) << actual.status;
  ASSERT_TRUE(expected.status.ok()) << expected.status;
  EXPECT_EQ(actual.method, expected.method);
  EXPECT_EQ(actual.explained.index, expected.explained.index);
  const std::vector<float> a = Floats(actual.data);
  const std::vector<float> b = Floats(expected.data);
  ASSERT_EQ(a.size(), b.size());
  int far = 0;
  const float largest = *std::max_element(b.begin(), b.end());
  for (std::size_t i = 0; i < a.size(); ++i) {
    far += std::abs(a[i] - b[i]) <= kTolerance * largest ? 0 : 1;
  }
  EXPECT_LE(far, allowed_far * static_cast<double>(a.size()));
}

double AllowedFar(CombineRule rule) {
  return rule == CombineRule::kSum ? 0 : 0.01;
}

class EngineCombineTest : public testing::Test {
 protected:
  EngineCombineTest() : engine_({}, Clock::Real(), observer_) {
    ServeModel(engine_, LoadCalibrated());
  }

  Explanation Explain(Job job) {
    Answers answers(1);
    engine_.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0).value();
  }

  RecordingObserver observer_;
  Engine engine_;
};

TEST_F(EngineCombineTest, ACombinationIsThatOfItsLayersMaps) {
  for (const char* method : {"selective_norm_grad", "linear_approximation"}) {
    SCOPED_TRACE(method);
    Job single;
    single.input = RandomTensor(1);
    single.attributions = {{*Attribution::Named(method), kLayers}};
    single.output.size = OutputSize::kLayer;
    single.output.normalise = false;
    std::vector<at::Tensor> maps;
    for (const MapResult& result : Explain(single).results) {
      maps.push_back(at::tensor(Floats(result.data))
                         .view({1, result.height, result.width}));
    }
    Job job;
    job.input = RandomTensor(1);
    job.combinations = AllCombinations(method);
    const Explanation answer = Explain(job);
    ASSERT_EQ(answer.combined.size(), 8);
    for (std::size_t c = 0; c < 8; ++c) {
      SCOPED_TRACE(c);
      const CombinedResult& result = answer.combined[c];
      std::vector<double> weights;
      for (const LayerShare& share : result.shares) {
        weights.push_back(share.weight);
      }
      const CombinedMaps expected = CombineLayers(
          maps, kTinyHeight, kTinyWidth,
          CombinationWeights::Create(Weighting::kExplicit, 4, weights).value(),
          result.rule);
      MapResult map = result.map;
      map.data.assign(
          reinterpret_cast<const char*>(expected.maps.data_ptr<float>()),
          expected.maps.numel() * sizeof(float));
      ExpectClose(result.map, map, AllowedFar(result.rule));
    }
    EXPECT_NEAR(answer.combined[6].shares[3].weight, 0.4, 1e-12)
        << "calibrated accuracy 0.8 of 2.0";
  }
}

TEST_F(EngineCombineTest, AllLayersShareOneForwardAndOneBackward) {
  const ModelMetadata metadata = MetadataOf(*LoadCalibrated());
  Job job;
  job.input = RandomTensor(2);
  job.combinations = AllCombinations("norm_grad");
  for (const JobCombination& other : AllCombinations("gradient")) {
    job.combinations.push_back(other);
  }
  const PreparedJob prepared = PrepareJob(job, metadata, {}).value();
  const PassItem* item = &prepared.item;
  const auto items = absl::MakeConstSpan(&item, 1);
  const std::vector<BatchRow> rows = FirstRowsOf(items).at(0);
  const PassChunk chunk = MakeChunk(items, rows);
  EXPECT_EQ(chunk.request.rows.size(), 1);
  EXPECT_EQ(chunk.request.probes.size(), 4);
  EXPECT_EQ(chunk.groups.size(), 8) << "two methods at four layers";
}

// Jobs of both kinds, each with other methods, layers, rules and targets.
Job Varied(int i) {
  const std::vector<std::string> methods = {
      "norm_grad", "gradient", "linear_approximation", "selective_norm_grad"};
  const std::string& method = methods[i % 4];
  Job job;
  job.input = RandomTensor(100 + i);
  job.targets = {ClassIndex{i % 10}};
  if (i % 3 == 0) job.targets.emplace_back(RankFromBottom{});
  if (i % 2 == 0) {
    job.attributions = {{*Attribution::Named(method), {kLayers[i % 4]}}};
    return job;
  }
  job.combinations = {
      Combine(method, Weighting::kLinear, CombineRule::kSum),
      Combine(methods[(i + 1) % 4], Weighting::kFeatureSpread,
              CombineRule::kProduct, {"layer2", kLayers[2 + i % 2]})};
  return job;
}

TEST_F(EngineCombineTest, BatchedWithComputeSaliencyTheyAreAsSingles) {
  const std::shared_ptr<LoadedModel> model = LoadCalibrated();
  const ModelMetadata metadata = MetadataOf(*model);
  std::vector<PreparedJob> prepared;
  for (int i = 0; i < 12; ++i) {
    prepared.push_back(PrepareJob(Varied(i), metadata, {}).value());
  }
  std::vector<const PassItem*> items;
  for (const PreparedJob& job : prepared) items.push_back(&job.item);
  PassExplainer explainer(*model->replicas[0], {.max_rows = 64});
  const PassAnswers batch = explainer.Explain(items).value();
  int combined = 0;
  for (int i = 0; i < 12; ++i) {
    SCOPED_TRACE(i);
    const Explanation together =
        FinishJob(prepared[i], batch.items[i], metadata, {}).value();
    const Explanation alone = Explain(Varied(i));
    EXPECT_EQ(alone.batch_requests, 1);
    ASSERT_EQ(together.results.size(), alone.results.size());
    for (std::size_t m = 0; m < alone.results.size(); ++m) {
      ExpectClose(together.results[m], alone.results[m], 0);
    }
    ASSERT_EQ(together.combined.size(), alone.combined.size());
    for (std::size_t m = 0; m < alone.combined.size(); ++m) {
      const CombinedResult& expected = alone.combined[m];
      ExpectClose(together.combined[m].map, expected.map,
                  AllowedFar(expected.rule));
      ++combined;
    }
  }
  EXPECT_EQ(combined, 2 * (6 + 2));
}

TEST(EngineCombineBatchTest, StrangersOfBothKindsRunAsOneBatch) {
  RecordingObserver observer;
  Engine engine({}, Clock::Real(), observer);
  std::shared_ptr<LoadedModel> model = LoadCalibrated();
  model->config.batching.max_rows = 4;
  model->config.batching.max_delay = absl::Hours(1);  // until it is full
  ServeModel(engine, std::move(model));
  Answers answers(4);
  for (int i = 0; i < 4; ++i) {
    Job job = Varied(i);
    job.targets.resize(1);
    engine.Submit(std::move(job), answers.For(i));
  }
  answers.AwaitAll();
  for (int i = 0; i < 4; ++i) {
    const Explanation answer = answers.of(i).value();
    EXPECT_EQ(answer.batch_requests, 4);
    EXPECT_EQ(answer.results.size(), i % 2 == 0 ? 1 : 0);
    EXPECT_EQ(answer.combined.size(), i % 2 == 0 ? 0 : 2);
  }
}

TEST_F(EngineCombineTest, EvaluationNeedsNoPixels) {
  Job job;
  job.input = RandomTensor(3);
  job.targets = {ClassIndex{1}, ClassIndex{2}};
  job.combinations = AllCombinations("norm_grad");
  const Explanation with_pixels = Explain(job);
  job.output.encoding = MapEncoding::kNone;
  const Explanation without = Explain(job);
  ASSERT_EQ(without.combined.size(), 16);
  for (std::size_t c = 0; c < 16; ++c) {
    EXPECT_TRUE(without.combined[c].map.data.empty());
    EXPECT_EQ(without.combined[c].map.point_y,
              with_pixels.combined[c].map.point_y);
    EXPECT_EQ(without.combined[c].map.point_x,
              with_pixels.combined[c].map.point_x);
  }
}

TEST(EngineLayerWeightsTest, NewWeightsAreUsedFromTheNextJobOn) {
  RecordingObserver observer;
  Engine engine({}, Clock::Real(), observer);
  ServeModel(engine, LoadTinyResnet());
  const auto combine = [&] {
    Job job;
    job.input = RandomTensor(1);
    job.combinations = {Combine("norm_grad", Weighting::kFeatureSpread,
                                CombineRule::kSum, {"layer1", "layer4"})};
    Answers answers(1);
    engine.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0);
  };
  const auto before = engine.models().FindReady("", 0).value()->metadata;
  EXPECT_EQ(combine().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(combine().status().message()),
              testing::HasSubstr("saliency calibrate"));
  const LayerWeights weights = {
      .layers = {{.layer = "layer1", .feature_spread = 1.0},
                 {.layer = "layer4", .feature_spread = 3.0}}};
  ASSERT_TRUE(engine.models().SetLayerWeights(before->name, before->version, "",
                                              weights));
  const auto after = combine();
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->combined[0].shares[0].weight, 0.25);
  EXPECT_EQ(after->combined[0].shares[1].weight, 0.75);
  EXPECT_TRUE(engine.models()
                  .FindReady("", 0)
                  .value()
                  ->metadata->layer_weights.calibrated());
  EXPECT_FALSE(before->layer_weights.calibrated()) << "snapshots stay";
  EXPECT_FALSE(engine.models().SetLayerWeights("nobody", 1, "", weights));
}

}  // namespace
}  // namespace saliency::engine_combine_test
