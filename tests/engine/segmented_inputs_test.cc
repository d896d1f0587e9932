// LIME and kernel SHAP through an engine, held against loops that hide one set
// of superpixels after another.

#include "core/engine/run/segmented_inputs.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/attribution/coalitions.h"
#include "core/attribution/superpixels.h"
#include "core/engine/engine.h"
#include "core/engine/plan/prepare.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"
#include "tests/support/cpu_memory.h"
#include "tests/support/naive_surrogate.h"
#include "tests/support/tensor_close.h"

namespace saliency::segmented_inputs_test {
namespace {

class SegmentedInputsTest : public SampledJobsTest {
 protected:
  static JobAttribution By(const Sampling& method) {
    return {.attribution = *Attribution::Perturbed(method)};
  }

  // Of the image [1,3,H,W] as the model takes it, whose mean stands for
  // nothing.
  Superpixels PixelsOf(const at::Tensor& image, int64_t segments) {
    const InputConfig& input = model_->config.input;
    at::Tensor rgb = at::empty({3, kTinyHeight, kTinyWidth});
    for (int64_t c = 0; c < 3; ++c) {
      rgb[c].copy_(image[0][c] * input.std[c] + input.mean[c]);
    }
    return Slic(rgb.clamp(0, 1), {.segments = segments});
  }

  // The score of what is left when all but `kept` [M] bool is hidden.
  double ScoreOfKept(const at::Tensor& image, const Superpixels& pixels,
                     const at::Tensor& kept, int64_t index) {
    at::Tensor hidden = image.clone();
    for (int64_t label = 0; label < pixels.count; ++label) {
      if (kept[label].item<bool>()) continue;
      hidden.masked_fill_(pixels.labels.eq(label), 0);
    }
    return ScoreOf(*model_->replicas[0], hidden, index);
  }

  // [1,H,W] of one number for each segment.
  static at::Tensor Painted(const Superpixels& pixels,
                            const std::vector<double>& values) {
    at::Tensor map = at::zeros({1, kTinyHeight, kTinyWidth});
    for (int64_t label = 0; label < pixels.count; ++label) {
      map.masked_fill_(pixels.labels.eq(label), values[label]);
    }
    return map;
  }
};

TEST_F(SegmentedInputsTest, LimeIsTheRidgeRegressionOfScoresOfHiddenSegments) {
  const Lime method = {.samples = 60, .segments = 12, .seed = 4};
  Job job = JobOf(31, {By(method),
                       {.attribution = *Attribution::Named("norm_grad"),
                        .layers = {"layer4"}}});
  job.targets = {ClassIndex{2}, ClassIndex{5}};
  const Explanation answer = Explain(job, 7);
  const at::Tensor image = ImageOf(31);
  const Superpixels pixels = PixelsOf(image, 12);
  ASSERT_GE(pixels.count, 6);
  const Coalitions coalitions = LimeCoalitions(method, pixels.count);
  ASSERT_EQ(answer.results.size(), 4U);
  int compared = 0;
  for (const MapResult& result : answer.results) {
    if (result.method != "lime") continue;
    EXPECT_EQ(result.layer, "input");
    EXPECT_TRUE(result.is_signed);
    std::vector<double> scores;
    for (int64_t s = 0; s < coalitions.count(); ++s) {
      scores.push_back(ScoreOfKept(image, pixels, coalitions.kept[s],
                                   result.explained.index));
    }
    const at::Tensor want = Painted(
        pixels, oracle::RidgeCoefficients(coalitions, scores, method.ridge));
    EXPECT_TRUE(RowsClose(MapOf(result), want, 10 * kRounding));
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

TEST_F(SegmentedInputsTest, KernelShapOfFewSegmentsIsTheirShapleyValues) {
  Job job = JobOf(32, {By(KernelShap{.samples = 64, .segments = 6})});
  job.targets = {ClassIndex{1}, ClassIndex{7}};
  const Explanation answer = Explain(job, 6);
  const at::Tensor image = ImageOf(32);
  const Superpixels pixels = PixelsOf(image, 6);
  ASSERT_GE(pixels.count, 4);
  for (const MapResult& result : answer.results) {
    EXPECT_EQ(result.method, "kernel_shap");
    const auto value = [&](uint64_t members) {
      at::Tensor kept = at::zeros({pixels.count}, at::kBool);
      for (int64_t i = 0; i < pixels.count; ++i) {
        if ((members >> i & 1) != 0) kept[i].fill_(true);
      }
      return ScoreOfKept(image, pixels, kept, result.explained.index);
    };
    const at::Tensor want =
        Painted(pixels, oracle::ShapleyValues(pixels.count, value));
    EXPECT_TRUE(RowsClose(MapOf(result), want, 10 * kRounding));
  }
}

TEST_F(SegmentedInputsTest, ShapleyValuesSumToTheScoreLessTheBaselines) {
  for (const Baseline baseline : {Baseline::kMean, Baseline::kBlack}) {
    const Explanation answer = Explain(JobOf(
        33,
        {By(KernelShap{.baseline = baseline, .samples = 90, .segments = 20})}));
    const MapResult& result = answer.results[0];
    const at::Tensor image = ImageOf(33);
    const Superpixels pixels = PixelsOf(image, 20);
    double sum = 0;
    for (int64_t label = 0; label < pixels.count; ++label) {
      const at::Tensor own = MapOf(result)[0].index({pixels.labels.eq(label)});
      EXPECT_EQ(own.min().item<float>(), own.max().item<float>());
      sum += own[0].item<double>();
    }
    const at::Tensor nothing =
        BaselineOf(baseline, model_->config.input)(image).contiguous();
    ProbedModel& model = *model_->replicas[0];
    const int64_t index = result.explained.index;
    EXPECT_NEAR(sum,
                ScoreOf(model, image, index) - ScoreOf(model, nothing, index),
                1e-4);
  }
}

TEST_F(SegmentedInputsTest, AnImageIsExplainedAlikeInABatchInPiecesAndAlone) {
  const std::vector<JobAttribution> attributions = {
      By(Lime{.samples = 30, .segments = 9, .seed = 2}),
      By(KernelShap{.samples = 24, .segments = 9, .seed = 2}),
      // Few enough for all coalitions, whose number is each image's own.
      By(KernelShap{.samples = 200, .segments = 4})};
  Job three = JobOf(41, attributions);
  three.input = RandomTensor(41, 3);
  three.targets = {ClassIndex{3}, ClassIndex{0}};
  const Explanation whole = Explain(three, 16);
  const Explanation pieces = Explain(three, 3);
  const at::Tensor images =
      at::from_blob(
          const_cast<char*>(std::get<TensorInput>(three.input).data.data()),
          {3, 3, kTinyHeight, kTinyWidth}, at::kFloat)
          .clone();
  ASSERT_EQ(whole.results.size(), 3U * 2U * 3U);
  for (int64_t i = 0; i < 3; ++i) {
    Job one = JobOf(41, attributions);
    const at::Tensor image = images[i].contiguous();
    std::get<TensorInput>(one.input).data.assign(
        static_cast<const char*>(image.data_ptr()), image.nbytes());
    one.targets = three.targets;
    const Explanation alone = Explain(one, 16);
    for (std::size_t m = 0; m < 6; ++m) {
      SCOPED_TRACE(testing::Message() << "image " << i << ", map " << m);
      const at::Tensor want = MapOf(alone.results[m]);
      EXPECT_TRUE(
          RowsClose(MapOf(whole.results[6 * i + m]), want, 10 * kRounding));
      EXPECT_TRUE(
          RowsClose(MapOf(pieces.results[6 * i + m]), want, 10 * kRounding));
    }
  }
}

TEST_F(SegmentedInputsTest, StrangersInTheBatchChangeNothing) {
  const Lime method = {.samples = 20, .segments = 9, .seed = 1};
  const at::Tensor alone = MapOf(Explain(JobOf(50, {By(method)})).results[0]);
  model_->config.batching.max_rows = 5;
  RecordingObserver observer;
  Engine engine({}, Clock::Real(), observer);
  ServeModel(engine, model_);
  constexpr int kJobs = 4;
  Answers answers(kJobs);
  for (int i = 0; i < kJobs; ++i) {
    engine.Submit(JobOf(50 + i, {By(method)}), answers.For(i));
  }
  answers.AwaitAll();
  EXPECT_TRUE(RowsClose(MapOf(answers.of(0).value().results[0]), alone,
                        10 * kRounding));
  const Lime other = {.samples = 20, .segments = 9, .seed = 2};
  EXPECT_FALSE(RowsClose(MapOf(Explain(JobOf(50, {By(other)})).results[0]),
                         alone, 10 * kRounding));
}

TEST_F(SegmentedInputsTest, WhatItHoldsIsTakenFromTheBytesOfTheInput) {
  RecordingObserver observer;
  Engine engine({}, Clock::Real(), observer);
  ServeModel(engine, model_);
  const ModelMetadata metadata =
      *engine.models().FindReady("", 0).value()->metadata;
  const auto cost_of = [&](const Sampling& method) {
    return PlanJob(JobOf(1, {By(method)}), metadata, {}).value().cost;
  };
  const Lime lime = {.samples = 5000, .segments = 100};
  EXPECT_EQ(cost_of(lime).input_bytes - cost_of(Rise{}).input_bytes,
            SegmentBytes(lime, kTinyHeight * kTinyWidth));
  EXPECT_EQ(
      cost_of(lime).decode_scratch_bytes - cost_of(Rise{}).decode_scratch_bytes,
      kSegmentScratch * kTinyHeight * kTinyWidth);
  EXPECT_GT(SegmentBytes(lime, kTinyHeight * kTinyWidth), 5000 * 100);
  // What is reckoned with for making them is no more than twice what it takes.
  CpuMemory& memory = CpuMemory::Watch();
  const at::Tensor image = at::rand({3, 400, 300});
  const int64_t before = memory.bytes();
  memory.ResetPeak();
  Slic(image, {});
  EXPECT_LE(memory.peak_bytes() - before, kSegmentScratch * 400 * 300);
  EXPECT_GE(memory.peak_bytes() - before, kSegmentScratch * 400 * 300 / 2);
}

}  // namespace
}  // namespace saliency::segmented_inputs_test
