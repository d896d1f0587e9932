// Methods that hide parts of the image, through an engine, held against loops
// that hide one part after another.

#include "core/attribution/perturbation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/engine/engine.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"
#include "tests/support/tensor_close.h"

namespace saliency::perturbation_test {
namespace {

using PerturbationTest = SampledJobsTest;

// The oracle: window after window, pixel after pixel.
at::Tensor OccludedOneByOne(ProbedModel& model, const at::Tensor& image,
                            int64_t index, int64_t patch, int64_t stride,
                            float value) {
  const int64_t height = image.size(2), width = image.size(3);
  at::Tensor sum = at::zeros({height, width}, at::kDouble);
  at::Tensor windows = at::zeros({height, width}, at::kDouble);
  const double score = ScoreOf(model, image, index);
  for (int64_t top = 0;; top += stride) {
    for (int64_t left = 0;; left += stride) {
      at::Tensor hidden = image.clone();
      for (int64_t y = top; y < std::min(top + patch, height); ++y) {
        for (int64_t x = left; x < std::min(left + patch, width); ++x) {
          for (int64_t c = 0; c < 3; ++c) hidden[0][c][y][x] = value;
        }
      }
      const double lost = score - ScoreOf(model, hidden, index);
      sum.slice(0, top, top + patch).slice(1, left, left + patch).add_(lost);
      windows.slice(0, top, top + patch).slice(1, left, left + patch).add_(1);
      if (left + patch >= width) break;
    }
    if (top + patch >= height) break;
  }
  return (sum / windows).to(at::kFloat).unsqueeze(0);
}

TEST_F(PerturbationTest, OcclusionIsTheLossOfWindowAfterWindow) {
  Job job = JobOf(
      14,
      {{.attribution =
            *Attribution::Perturbed(Occlusion{.patch_size = 7, .stride = 5})},
       {.attribution = *Attribution::Named("gradient"), .layers = {"layer4"}}});
  job.targets = {ClassIndex{2}, ClassIndex{5}};
  const Explanation answer = Explain(job, 6);
  ASSERT_EQ(answer.results.size(), 4);
  for (const MapResult& result : answer.results) {
    if (result.method != "occlusion") continue;
    EXPECT_EQ(result.layer, "input");
    EXPECT_TRUE(result.is_signed);
    EXPECT_TRUE(RowsClose(MapOf(result),
                          OccludedOneByOne(*model_->replicas[0], ImageOf(14),
                                           result.explained.index, 7, 5, 0),
                          kRounding));
  }
}

TEST_F(PerturbationTest, RiseIsTheMeanOfMasksWeightedByTheirScores) {
  const Rise method = {
      .masks = 40, .cells = 4, .keep_probability = 0.4, .seed = 3};
  Job job = JobOf(15, {{.attribution = *Attribution::Perturbed(method)}});
  job.targets = {ClassIndex{1}, ClassIndex{7}, ClassIndex{3}};
  job.score = Score::kSoftmax;
  const Explanation answer = Explain(job, 8);
  const Explanation pieces = Explain(job, 3);
  const at::Tensor image = ImageOf(15);
  ASSERT_EQ(answer.results.size(), 3);
  for (std::size_t t = 0; t < 3; ++t) {
    const MapResult& result = answer.results[t];
    at::Tensor sum = at::zeros({kTinyHeight, kTinyWidth}, at::kDouble);
    for (int m = 0; m < method.masks; ++m) {
      const at::Tensor mask = RiseMask(method, m, kTinyHeight, kTinyWidth);
      ProbeRequest request = {.input = (image * mask).contiguous()};
      request.rows = {{.image = 0,
                       .target = ClassIndex{result.explained.index},
                       .score = Score::kSoftmax}};
      sum += mask * model_->replicas[0]->Run(request).value().score[0];
    }
    const at::Tensor want =
        (sum / (method.masks * method.keep_probability)).to(at::kFloat);
    EXPECT_TRUE(RowsClose(MapOf(result), want.unsqueeze(0), kRounding));
    EXPECT_TRUE(
        RowsClose(MapOf(pieces.results[t]), want.unsqueeze(0), kRounding));
    EXPECT_FALSE(result.is_signed);
  }
}

}  // namespace
}  // namespace saliency::perturbation_test
