// Methods that vary the input, through passes of a real model: held against the
// published implementations, and against a loop that makes one sample after
// another.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/perturbation.h"
#include "core/attribution/smooth.h"
#include "core/engine/engine.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/run/pass_explainer.h"
#include "core/engine/run/pass_progress.h"
#include "core/engine/run/row_slice.h"
#include "core/engine/run/sampled_inputs.h"
#include "core/engine/run/segmented_inputs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/model/golden_model.h"
#include "tests/support/cpu_memory.h"
#include "tests/support/fakes.h"
#include "tests/support/golden.h"
#include "tests/support/tensor_close.h"

namespace saliency::sampling_test {
namespace {

using ::testing::HasSubstr;

// The item slice by slice, as the engine runs it.
PassAnswer RunSlices(const PassItem& item, Explainer& explainer,
                     int64_t max_rows) {
  PassProgress progress;
  std::vector<int64_t> classes;
  const auto run = [&](const RowSlice& slice) {
    const PassItem part = ItemOf(item, slice, classes);
    const PassItem* pointer = &part;
    PassAnswers answers =
        explainer.Explain(absl::MakeConstSpan(&pointer, 1)).value();
    return progress.Add(std::move(answers.items[0]), item, slice, {});
  };
  const auto targets = static_cast<int64_t>(item.targets.size());
  const std::vector<int64_t> samples = SampleCounts(item);
  auto next = PassProgress::Next::kMoreSlices;
  for (int64_t done = 0; next == PassProgress::Next::kMoreSlices;) {
    const RowSlice slice = SliceAt(done, item.input.size(0), targets, max_rows);
    done += slice.rows();
    next = run(slice);
  }
  if (next == PassProgress::Next::kSamples) classes = progress.Classes();
  for (int64_t done = 0; next != PassProgress::Next::kDone;) {
    const RowSlice slice =
        SampleSliceAt(done, item.input.size(0), targets, samples, max_rows);
    done += slice.rows();
    next = run(slice);
  }
  return progress.Take().answer;
}

Variant Sampled(std::shared_ptr<const SampledInputs> inputs,
                std::vector<PassAttribution> attributions) {
  Variant variant = Variant::Of(std::move(inputs));
  variant.attributions = std::move(attributions);
  return variant;
}

// Rows of the entry's column of targets.
PassItem ItemFor(const GoldenSet& set, const GoldenEntry& entry,
                 int64_t image) {
  PassItem item;
  item.input = set.input.narrow(0, image, 1);
  item.targets = {ClassIndex{set.targets[image][entry.target].item<int64_t>()}};
  return item;
}

class GoldenSamplingTest
    : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  const GoldenSet set_ = LoadGolden(std::get<0>(GetParam()));
  const std::unique_ptr<ProbedModel> model_ =
      LoadGoldenModel(set_, std::get<1>(GetParam()));
};

TEST_P(GoldenSamplingTest, IntegratedGradientsAndTheirGapAreCaptums) {
  const IntegratedGradients method = {
      .baseline = IntegratedGradients::Baseline::kMean, .steps = 16};
  int compared = 0;
  for (const GoldenEntry& entry : set_.entries) {
    const std::string prefix = "cp__integrated_gradients_sum__input__";
    if (!entry.name.starts_with(prefix)) continue;
    SCOPED_TRACE(entry.name);
    const at::Tensor deltas = set_.tensors.at(
        "cp__integrated_gradients_delta__" + entry.name.substr(prefix.size()));
    std::vector<at::Tensor> maps;
    for (std::size_t i = 0; i < entry.images.size(); ++i) {
      PassItem item = ItemFor(set_, entry, entry.images[i]);
      item.variants.push_back(Sampled(
          SampledInputsOf(method, {}, set_.input.size(2), set_.input.size(3)),
          {{*Attribution::Integrated(method), "input"}}));
      item.variants.push_back(Sampled(BaselineInputs(method, {}), {}));
      PassExplainer explainer(*model_, {.max_rows = 8});
      const PassAnswer answer = RunSlices(item, explainer, 5);
      maps.push_back(*answer.variants[1].maps[0]);
      const double gap =
          maps.back().sum(at::kDouble).item<double>() -
          (answer.variants[0].score[0] - answer.variants[2].score[0]);
      EXPECT_NEAR(gap, deltas[static_cast<int64_t>(i)].item<double>(), 1e-4);
    }
    const at::Tensor got = at::stack(maps).unsqueeze(1);
    EXPECT_LE(ErrorOverTolerance(entry, got, set_.tensors.at(entry.name)), 1);
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

TEST_P(GoldenSamplingTest, SmoothGradOfStoredNoiseIsCaptums) {
  const at::Tensor noise = set_.tensors.at("smoothgrad_noise");
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights.assign(noise.size(0), 1.0 / noise.size(0));
  inputs->make = [&](const SampledImage& image, int64_t sample) {
    return image.input + noise[sample];
  };
  int compared = 0;
  for (const GoldenEntry& entry : set_.entries) {
    if (entry.name != "cp__smoothgrad__input__t0") continue;
    PassItem item = ItemFor(set_, entry, entry.images[0]);
    item.variants.push_back(
        Sampled(inputs, {{*Attribution::Named("gradient_sum"), "input"}}));
    PassExplainer explainer(*model_, {.max_rows = 8});
    const PassAnswer answer = RunSlices(item, explainer, 3);
    // Gradients of all channels there, their sum here.
    EXPECT_TRUE(RowsClose(answer.variants[1].maps[0]->unsqueeze(0),
                          set_.tensors.at(entry.name).sum(1), kRounding));
    ++compared;
  }
  EXPECT_EQ(compared, 1);
}

INSTANTIATE_TEST_SUITE_P(Nets, GoldenSamplingTest,
                         testing::Combine(testing::ValuesIn(GoldenNets()),
                                          testing::Values("script", "trace")),
                         [](const auto& param) {
                           return std::get<0>(param.param) + "_" +
                                  std::get<1>(param.param);
                         });

using SamplingTest = SampledJobsTest;

JobAttribution Smoothed(const SmoothGrad& smooth, const std::string& method,
                        std::vector<std::string> layers) {
  return {.attribution =
              *Attribution::Smoothed(smooth, *Attribution::Named(method)),
          .layers = std::move(layers)};
}

TEST_F(SamplingTest, TheStatisticsAreThoseOfSingleMaps) {
  constexpr int kSamples = 5;
  std::vector<JobAttribution> attributions;
  for (const SampleStatistic statistic :
       {SampleStatistic::kMean, SampleStatistic::kMeanOfSquares,
        SampleStatistic::kVariance}) {
    attributions.push_back(Smoothed({.statistic = statistic,
                                     .samples = kSamples,
                                     .noise_level = 0.2,
                                     .seed = 7},
                                    "linear_approximation", {"layer2"}));
  }
  const Explanation smoothed = Explain(JobOf(3, attributions), 4);
  // The oracle: each noisy copy is a request for the class that the image
  // itself is predicted as.
  const auto inputs = SampledInputsOf(
      SmoothGrad{.samples = kSamples, .noise_level = 0.2, .seed = 7}, {},
      kTinyHeight, kTinyWidth);
  const at::Tensor image = ImageOf(3);
  std::vector<at::Tensor> maps;
  for (int64_t s = 0; s < kSamples; ++s) {
    const at::Tensor sample = inputs->make({.input = image}, s).contiguous();
    EXPECT_FALSE(at::equal(sample, image));
    Job job =
        JobOf(3, {{.attribution = *Attribution::Named("linear_approximation"),
                   .layers = {"layer2"}}});
    std::get<TensorInput>(job.input).data.assign(
        static_cast<const char*>(sample.data_ptr()), sample.nbytes());
    job.targets = {ClassIndex{smoothed.results[0].explained.index}};
    maps.push_back(MapOf(Explain(job).results[0]));
  }
  const at::Tensor all = at::cat(maps);
  EXPECT_TRUE(
      RowsClose(MapOf(smoothed.results[0]), all.mean(0, true), kRounding));
  EXPECT_TRUE(RowsClose(MapOf(smoothed.results[1]), (all * all).mean(0, true),
                        kRounding));
  // The difference of two sums: what is lost is a part of their size.
  const double lost = (all * all).mean(0).max().item<double>();
  EXPECT_LE((MapOf(smoothed.results[2]) - all.var(0, /*unbiased=*/false))
                .abs()
                .max()
                .item<double>(),
            kRounding * lost);
  EXPECT_EQ(smoothed.results[0].method, "smooth_grad(linear_approximation)");
  EXPECT_TRUE(smoothed.results[0].is_signed);
  EXPECT_FALSE(smoothed.results[2].is_signed);
}

TEST_F(SamplingTest, TheSameSeedGivesTheSameMapWhateverTheChunksAndCompany) {
  const SmoothGrad smooth = {.samples = 6, .seed = 11};
  const Job job = JobOf(5, {Smoothed(smooth, "norm_grad", {"layer1", "layer4"}),
                            Smoothed(smooth, "gradient", {"input"})});
  const Explanation alone = Explain(job, 64);
  const Explanation pieces = Explain(job, 2);
  // Beside strangers, some of whom sample too.
  model_->config.batching.max_rows = 5;
  RecordingObserver observer;
  Engine engine({}, Clock::Real(), observer);
  ServeModel(engine, model_);
  constexpr int kJobs = 6;
  Answers answers(kJobs);
  for (int i = 0; i < kJobs; ++i) {
    engine.Submit(
        i == 3 ? job
        : i == 4
            ? JobOf(9, {Smoothed({.samples = 9, .seed = 1}, "gradient",
                                 {"layer3"})})
            : JobOf(20 + i, {{.attribution = *Attribution::Named("norm_grad"),
                              .layers = {"layer4"}}}),
        answers.For(i));
  }
  answers.AwaitAll();
  const Explanation beside = answers.of(3).value();
  const Explanation other = Explain(JobOf(
      5, {Smoothed({.samples = 6, .seed = 12}, "norm_grad", {"layer1"})}));
  ASSERT_EQ(alone.results.size(), 3);
  for (std::size_t m = 0; m < 3; ++m) {
    SCOPED_TRACE(m);
    const at::Tensor want = MapOf(alone.results[m]);
    EXPECT_TRUE(RowsClose(MapOf(pieces.results[m]), want, kRounding));
    EXPECT_TRUE(RowsClose(MapOf(beside.results[m]), want, kRounding));
  }
  EXPECT_FALSE(
      RowsClose(MapOf(other.results[0]), MapOf(alone.results[0]), kRounding));
}

TEST_F(SamplingTest, WithoutNoiseItIsTheMethodItself) {
  const Explanation answer = Explain(JobOf(
      6, {Smoothed({.samples = 3, .noise_level = 0}, "gradient", {"layer3"}),
          {.attribution = *Attribution::Named("gradient"),
           .layers = {"layer3"}}}));
  EXPECT_EQ(answer.results[0].method, "smooth_grad");
  EXPECT_TRUE(
      RowsClose(MapOf(answer.results[0]), MapOf(answer.results[1]), kRounding));
}

TEST_F(SamplingTest, TheGapOfIntegratedGradientsFallsWithTheSteps) {
  const auto gap_of = [&](int steps) {
    const Explanation answer = Explain(
        JobOf(8, {{.attribution = *Attribution::Integrated({.steps = steps}),
                   .layers = {"input"}}}));
    EXPECT_TRUE(answer.results[0].completeness_gap.has_value());
    return std::abs(answer.results[0].completeness_gap.value_or(1e9));
  };
  const double coarse = gap_of(2);
  const double fine = gap_of(200);
  EXPECT_LT(fine, 0.2 * coarse);
  EXPECT_GT(coarse, 0);
}

TEST_F(SamplingTest, IntegratedGradientsFromABlurredImageAddUpToItsScore) {
  const IntegratedGradients method = {.baseline = Baseline::kBlurred,
                                      .steps = 200};
  const Explanation answer =
      Explain(JobOf(8, {{.attribution = *Attribution::Integrated(method)}}));
  const MapResult& result = answer.results[0];
  const at::Tensor image = ImageOf(8);
  const at::Tensor blurred = SmoothMaps(image[0], kBlur).unsqueeze(0);
  ProbedModel& model = *model_->replicas[0];
  const double change = ScoreOf(model, image, result.explained.index) -
                        ScoreOf(model, blurred, result.explained.index);
  EXPECT_GT(std::abs(change), 0.01);
  const double sum = MapOf(result).sum(at::kDouble).item<double>();
  EXPECT_NEAR(sum - change, *result.completeness_gap, 1e-4);
  EXPECT_LT(std::abs(*result.completeness_gap), 0.1 * std::abs(change));
}

TEST_F(SamplingTest, WhatCannotBeIsRefusedByName) {
  const ModelMetadata metadata = [&] {
    RecordingObserver observer;
    Engine engine({}, Clock::Real(), observer);
    ServeModel(engine, model_);
    return *engine.models().FindReady("", 0).value()->metadata;
  }();
  const auto refusal = [&](const Job& job) {
    return std::string(PrepareJob(job, metadata, {}).status().message());
  };
  EXPECT_THAT(
      refusal(JobOf(1, {{.attribution = *Attribution::Integrated({}),
                         .layers = {"layer4"}}})),
      HasSubstr("\"integrated_gradients\" applies only at layer \"input\""));
  EXPECT_THAT(refusal(JobOf(1, {{.attribution = *Attribution::Named("rise"),
                                 .layers = {"layer4"}}})),
              HasSubstr("\"rise\" applies only at layer \"input\""));
  EXPECT_THAT(refusal(JobOf(1, {{.attribution = *Attribution::Perturbed(
                                     Occlusion{.patch_size = 1000})}})),
              HasSubstr("occlusion.patch_size: 1000 not in [1, "));
  Job stepped = JobOf(1, {Smoothed({}, "gradient", {"input"})});
  stepped.meta = JobMetaStep();
  EXPECT_THAT(refusal(stepped), HasSubstr("not offered after a meta step"));
  Job many =
      JobOf(1, {Smoothed({.samples = 1000}, "gradient", {"input"}),
                Smoothed({.samples = 1000, .seed = 1}, "gradient", {"input"})});
  for (int64_t c = 0; c < 10; ++c) many.targets.emplace_back(ClassIndex{c});
  EngineLimits limits;
  limits.max_sampled_rows = 19'999;
  EXPECT_THAT(
      std::string(PrepareJob(many, metadata, limits).status().message()),
      HasSubstr("1 images x 10 targets x 2000 samples are 20000 rows, "
                "of at most 19999"));
  EXPECT_THAT(
      std::string(Attribution::Smoothed({}, *Attribution::Integrated({}))
                      .status()
                      .message()),
      HasSubstr("samples the input itself"));
}

TEST_F(SamplingTest, MemoryDoesNotGrowWithTheSamples) {
  CpuMemory& memory = CpuMemory::Watch();
  const auto peak_of = [&](const Attribution& attribution) {
    PassItem item;
    item.input = at::ones({1, 3, kTinyHeight, kTinyWidth});
    item.targets = {ClassIndex{1}};
    const Sampling& sampling = *attribution.sampling();
    item.variants.push_back(
        Sampled(HidesSegments(sampling)
                    ? SegmentedInputs(sampling, {}, item.input)
                    : SampledInputsOf(sampling, {}, kTinyHeight, kTinyWidth),
                {{attribution, "input"}}));
    PassExplainer explainer(*model_->replicas[0], {.max_rows = 8});
    const int64_t before = memory.bytes();
    memory.ResetPeak();
    RunSlices(item, explainer, 8);
    return static_cast<double>(memory.peak_bytes() - before);
  };
  const Attribution gradient = *Attribution::Named("gradient");
  const auto smoothed = [&](int samples) {
    return *Attribution::Smoothed({.samples = samples}, gradient);
  };
  const auto integrated = [](int steps) {
    return *Attribution::Integrated({.steps = steps});
  };
  const auto masked = [](int masks) {
    return *Attribution::Perturbed(Rise{.masks = masks});
  };
  const auto coalitions = [](int samples) {
    return *Attribution::Perturbed(KernelShap{.samples = samples});
  };
  peak_of(smoothed(16));  // what is kept from the first use on
  EXPECT_LT(peak_of(smoothed(160)), 1.2 * peak_of(smoothed(16)));
  EXPECT_LT(peak_of(masked(4000)), 1.2 * peak_of(masked(16)));
  EXPECT_LT(peak_of(integrated(500)), 1.2 * peak_of(integrated(16)));
  EXPECT_LT(peak_of(coalitions(400)), 1.2 * peak_of(coalitions(16)));
}

}  // namespace
}  // namespace saliency::sampling_test
