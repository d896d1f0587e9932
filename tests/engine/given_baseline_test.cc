// Integrated gradients from a baseline that the caller gives as an image.

#include <ATen/ATen.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/gauss_legendre.h"
#include "core/attribution/sampling.h"
#include "core/engine/plan/prepare.h"
#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"

namespace saliency::given_baseline_test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::shared_ptr<const std::string> Png(int64_t height, int64_t width,
                                       uint8_t value) {
  return std::make_shared<const std::string>(
      *EncodePng({.height = height,
                  .width = width,
                  .rgb = std::vector<uint8_t>(3 * height * width, value)}));
}

JobAttribution Path(std::shared_ptr<const std::string> image, int steps = 7) {
  return {*Attribution::Integrated(
              {.steps = steps, .baseline_image = std::move(image)}),
          {"input"}};
}

class GivenBaselineTest : public SampledJobsTest {
 protected:
  GivenBaselineTest() {
    model_->config.input.mean = {0.4, 0.5, 0.6};
    model_->config.input.std = {0.2, 0.3, 0.4};
  }

  std::string Refusal(const Job& job) {
    return std::string(
        PrepareJob(job, MetadataOf(*model_), {}).status().message());
  }
};

// A black image is the default; of any size, since it is preprocessed.
TEST_F(GivenBaselineTest, ABlackImageIsTheBlackBaseline) {
  const JobAttribution black = {*Attribution::Integrated({.steps = 7}),
                                {"input"}};
  const Explanation answer =
      Explain(JobOf(1, {black, Path(Png(kTinyHeight, kTinyWidth, 0)),
                        Path(Png(9, 9, 0)), Path(Png(9, 9, 200))}));
  ASSERT_EQ(answer.results.size(), 4);
  const at::Tensor expected = MapOf(answer.results[0]);
  const double tolerance = kRounding * expected.abs().max().item<double>();
  for (const int i : {1, 2}) {
    EXPECT_LE((MapOf(answer.results[i]) - expected).abs().max().item<double>(),
              tolerance);
    EXPECT_NEAR(*answer.results[i].completeness_gap,
                *answer.results[0].completeness_gap, 1e-4);
  }
  EXPECT_GT((MapOf(answer.results[3]) - expected).abs().max().item<double>(),
            100 * tolerance)
      << "another baseline gives another map";
}

// By a sum of gradients on the line, written out here.
TEST_F(GivenBaselineTest, IsTheLineFromTheGivenImage) {
  constexpr int kSteps = 20;
  Job job = JobOf(2, {Path(Png(5, 8, 128), kSteps)});
  job.targets = {ClassIndex{3}};
  const Explanation answer = Explain(job);
  const at::Tensor image = ImageOf(2);
  at::Tensor baseline = at::empty_like(image);
  for (int channel = 0; channel < 3; ++channel) {
    baseline.select(1, channel)
        .fill_((128 / 255.0 - model_->config.input.mean[channel]) /
               model_->config.input.std[channel]);
  }
  torch::jit::Module module =
      torch::jit::load(SALIENCY_GOLDEN_DIR "/tiny_resnet/model_script.pt");
  module.eval();
  const Quadrature quadrature = GaussLegendre(kSteps);
  at::Tensor mean = at::zeros_like(image);
  for (int i = 0; i < kSteps; ++i) {
    const at::Tensor x = at::lerp(baseline, image, quadrature.nodes[i])
                             .detach()
                             .requires_grad_(true);
    module.forward({x}).toTensor()[0][3].backward();
    mean += quadrature.weights[i] * x.grad();
  }
  const at::Tensor expected = ((image - baseline) * mean).sum(1);
  EXPECT_TRUE(MapOf(answer.results[0]).allclose(expected, 1e-3, 1e-4));
  ProbedModel& model = *model_->replicas.front();
  const double change = ScoreOf(model, image, 3) - ScoreOf(model, baseline, 3);
  EXPECT_NEAR(*answer.results[0].completeness_gap,
              expected.sum().item<double>() - change, 1e-3);
}

TEST_F(GivenBaselineTest, WhatIsNoImageIsNamed) {
  const auto text = std::make_shared<const std::string>("no image");
  EXPECT_THAT(Refusal(JobOf(1, {Path(text)})),
              StartsWith("integrated_gradients.baseline_image"));
  // Its header is right, and the rest is missing.
  const auto png = Png(30, 30, 7);
  EXPECT_THAT(
      Refusal(JobOf(
          1, {Path(std::make_shared<const std::string>(png->substr(0, 60)))})),
      StartsWith("integrated_gradients.baseline_image"));
}

TEST_F(GivenBaselineTest, AnotherSizeThanTheInputsIsRefused) {
  Job job = JobOf(1, {Path(Png(9, 9, 0))});
  job.input = TensorInput{.shape = {3, 64, 64},
                          .data = std::string(3 * 64 * 64 * 4, '\0')};
  EXPECT_THAT(Refusal(job),
              HasSubstr("becomes a model input of 56 x 40, and what is "
                        "explained one of 64 x 64"));
}

TEST_F(GivenBaselineTest, ItsBytesAndPixelsCount) {
  const ModelMetadata model = MetadataOf(*model_);
  const JobPlan plain = *PlanJob(JobOf(1, {Path(nullptr)}), model, {});
  const auto png = Png(300, 200, 0);
  const JobPlan given = *PlanJob(JobOf(1, {Path(png)}), model, {});
  EXPECT_GE(given.cost.input_bytes, plain.cost.input_bytes +
                                        static_cast<int64_t>(png->size()) +
                                        kTinyHeight * kTinyWidth * 12);
  EXPECT_EQ(given.cost.work, plain.cost.work + 300 * 200);
  EXPECT_GT(given.cost.decode_scratch_bytes, plain.cost.decode_scratch_bytes);
}

// Maps from one image share their samples, whatever bytes they were sent in.
TEST_F(GivenBaselineTest, EqualImagesAreOne) {
  EXPECT_TRUE(Path(Png(4, 4, 1)).attribution == Path(Png(4, 4, 1)).attribution);
  EXPECT_FALSE(Path(Png(4, 4, 1)).attribution ==
               Path(Png(4, 4, 2)).attribution);
  EXPECT_FALSE(Path(Png(4, 4, 1)).attribution == Path(nullptr).attribution);
}

}  // namespace
}  // namespace saliency::given_baseline_test
