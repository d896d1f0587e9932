// Targets whose score is a sum over classes, through an engine: logits are
// linear, so that maps that are linear in the gradient add up.

#include <ATen/ATen.h>
#include <torch/script.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/measures.h"
#include "core/engine/engine.h"
#include "core/engine/plan/prepare.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"
#include "tests/support/tensor_close.h"

namespace saliency::score_terms_test {
namespace {

using ::testing::HasSubstr;

class ScoreTermsTest : public SampledJobsTest {
 protected:
  static JobTarget Sum(int64_t first, std::vector<JobTerm> others) {
    JobTarget target = ClassIndex{first};
    target.others = std::move(others);
    return target;
  }

  static Job ThreeTargets(std::vector<JobAttribution> attributions) {
    Job job = JobOf(31, std::move(attributions));
    job.targets = {ClassIndex{2}, ClassIndex{6},
                   Sum(2, {{ClassIndex{6}, -0.5}})};
    return job;
  }

  std::string Refusal(const Job& job) {
    RecordingObserver observer;
    Engine engine({}, Clock::Real(), observer);
    ServeModel(engine, model_);
    const ModelMetadata metadata =
        *engine.models().FindReady("", 0).value()->metadata;
    return std::string(PrepareJob(job, metadata, {}).status().message());
  }
};

TEST_F(ScoreTermsTest, MapsAndScoresOfADifferenceAreThoseOfItsClasses) {
  const std::vector<JobAttribution> attributions = {
      {.attribution = *Attribution::Named("linear_approximation"),
       .layers = {"layer2", "input"}},
      {.attribution = *Attribution::Named("cam"), .layers = {"layer4"}},
      // Relevance is linear in what goes out from the classes.
      {.attribution = *Attribution::Named("lrp_epsilon"), .layers = {"layer3"}},
      {.attribution = *Attribution::Smoothed(
           {.samples = 5, .seed = 3}, *Attribution::Named("gradient_sum")),
       .layers = {"layer3"}},
      {.attribution = *Attribution::Integrated({.steps = 5})},
      {.attribution =
           *Attribution::Perturbed(Occlusion{.patch_size = 9, .stride = 9})}};
  for (const int max_rows : {2, 16}) {
    const Explanation answer = Explain(ThreeTargets(attributions), max_rows);
    ASSERT_EQ(answer.results.size(), 21);
    for (int m = 0; m < 7; ++m) {
      const MapResult& first = answer.results[m];
      const MapResult& second = answer.results[7 + m];
      const MapResult& both = answer.results[14 + m];
      SCOPED_TRACE(first.method + " @ " + first.layer);
      EXPECT_TRUE(RowsClose(MapOf(both), MapOf(first) - 0.5 * MapOf(second),
                            kRounding));
      EXPECT_NEAR(both.score, first.score - 0.5 * second.score, 1e-5);
      EXPECT_EQ(both.explained.index, 2);
      EXPECT_EQ(both.others_text, "- 0.5 class 6");
      EXPECT_EQ(first.others_text, "");
    }
  }
}

TEST_F(ScoreTermsTest, OfProbabilitiesTheProbabilitiesAreAdded) {
  Job job = ThreeTargets({{.attribution = *Attribution::Named("gradient_sum"),
                           .layers = {"layer2"}}});
  job.score = Score::kSoftmax;
  const Explanation answer = Explain(job);
  EXPECT_TRUE(RowsClose(
      MapOf(answer.results[2]),
      MapOf(answer.results[0]) - 0.5 * MapOf(answer.results[1]), kRounding));
  EXPECT_NEAR(answer.results[2].score,
              answer.results[0].score - 0.5 * answer.results[1].score, 1e-6);
}

TEST_F(ScoreTermsTest, LayersAreCombinedOfIt) {
  Job job = ThreeTargets({});
  job.combinations = {
      {.attribution = *Attribution::Named("linear_approximation"),
       .layers = {"layer2", "layer3"}}};
  job.layer_maps = true;
  job.output.size = OutputSize::kModelInput;
  const Explanation answer = Explain(job);
  ASSERT_EQ(answer.combined.size(), 3);
  ASSERT_EQ(answer.layer_maps.size(), 6);
  at::Tensor joined = at::zeros({1, kTinyHeight, kTinyWidth});
  for (const int layer : {0, 1}) {
    const at::Tensor map = MapOf(answer.layer_maps[layer]) -
                           0.5 * MapOf(answer.layer_maps[2 + layer]);
    EXPECT_TRUE(RowsClose(MapOf(answer.layer_maps[4 + layer]), map, kRounding));
    joined += (map - map.min()) / (map.max() - map.min()) / 2;
  }
  EXPECT_TRUE(RowsClose(MapOf(answer.combined[2].map), joined, 10 * kRounding));
}

TEST_F(ScoreTermsTest, IsComparedWithAnotherClass) {
  Job job = ThreeTargets({{.attribution = *Attribution::Named("gradient_sum"),
                           .layers = {"layer2"}}});
  job.targets.erase(job.targets.begin());
  job.correlate = Correlate::kTargets;
  const Explanation answer = Explain(job);
  ASSERT_EQ(answer.correlations.size(), 1);
  EXPECT_NEAR(*answer.correlations[0],
              *Spearman(MapOf(answer.results[0]), MapOf(answer.results[1]))[0],
              1e-12);
}

TEST_F(ScoreTermsTest, AnyOfSeveralPlainValuesMayBeExplained) {
  model_->config.activation = OutputActivation::kRegression;
  LoadOptions options = LoadOptionsOf(model_->config);
  const std::string file = SALIENCY_GOLDEN_DIR "/tiny_resnet/model_script.pt";
  model_->replicas.front() = ProbedModel::Load(file, options).value();
  Job job = JobOf(32, {{.attribution = *Attribution::Named("gradient_sum")}});
  job.attributions[0].layers = {"input"};
  job.targets = {ClassIndex{7}, Sum(7, {{ClassIndex{1}, 2}})};
  const Explanation answer = Explain(job);
  ASSERT_EQ(answer.results.size(), 2);
  torch::jit::Module module = torch::jit::load(file);
  module.eval();
  const auto gradient = [&](int64_t value) {
    const at::Tensor x = ImageOf(32).requires_grad_(true);
    module.forward({x}).toTensor()[0][value].backward();
    return x.grad().sum(1);
  };
  EXPECT_TRUE(RowsClose(MapOf(answer.results[0]), gradient(7), kRounding));
  EXPECT_TRUE(RowsClose(MapOf(answer.results[1]), gradient(7) + 2 * gradient(1),
                        kRounding));
  EXPECT_EQ(answer.results[0].explained.probability, std::nullopt);
}

TEST_F(ScoreTermsTest, WhatCannotBeIsRefusedByName) {
  const auto refusal = [&](const JobTarget& target) {
    Job job = JobOf(1, {{.attribution = *Attribution::Named("gradient")}});
    job.targets = {RankFromTop{}, target};
    return Refusal(job);
  };
  EXPECT_THAT(refusal(Sum(1, {{ClassIndex{2}}, {ClassIndex{10}}})),
              HasSubstr("targets[1].others[1].class_index 10 not in [0, 10)"));
  EXPECT_THAT(
      refusal(Sum(1, {{Label{"cat"}}})),
      HasSubstr("targets[1].others[0].label \"cat\": the model has no"));
  EXPECT_THAT(refusal(Sum(1, {{ClassIndex{2}, 1e6}})),
              HasSubstr("targets[1].others[0].weight 1e+06 not in [-1000, "));
  EXPECT_THAT(refusal(Sum(1, std::vector<JobTerm>(65, {ClassIndex{2}}))),
              HasSubstr("targets[1].others: 65 of at most 64"));
  Job stepped =
      ThreeTargets({{.attribution = *Attribution::Named("gradient")}});
  stepped.meta = JobMetaStep();
  EXPECT_THAT(Refusal(stepped),
              HasSubstr("targets[2].others: a meta step follows the loss of "
                        "one class"));
}

}  // namespace
}  // namespace saliency::score_terms_test
