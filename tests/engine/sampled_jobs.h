// Jobs over the tiny network, answered one at a time by an engine of its own.

#ifndef SALIENCY_TESTS_ENGINE_SAMPLED_JOBS_H_
#define SALIENCY_TESTS_ENGINE_SAMPLED_JOBS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/engine/engine.h"
#include "core/model/probed_model.h"
#include "gtest/gtest.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/fakes.h"

namespace saliency {

// Rounding of other batch sizes, ten layers deep.
inline constexpr double kRounding = 1e-4;

// [1,3,H,W], what JobOf(seed) explains.
inline at::Tensor ImageOf(int seed) {
  const TensorInput tensor = RandomTensor(seed);
  return at::from_blob(const_cast<char*>(tensor.data.data()),
                       {1, 3, kTinyHeight, kTinyWidth}, at::kFloat)
      .clone();
}

// Of one image and class, by a pass of its own.
inline double ScoreOf(ProbedModel& model, const at::Tensor& image,
                      int64_t index) {
  ProbeRequest request = {.input = image.contiguous()};
  request.rows = {{.image = 0, .target = ClassIndex{index}}};
  return model.Run(request).value().score[0];
}

class SampledJobsTest : public testing::Test {
 protected:
  static Job JobOf(int seed, std::vector<JobAttribution> attributions) {
    Job job;
    job.input = RandomTensor(seed);
    job.attributions = std::move(attributions);
    job.output.size = OutputSize::kLayer;
    job.output.normalise = false;
    return job;
  }

  at::Tensor MapOf(const MapResult& result) {
    EXPECT_TRUE(result.status.ok()) << result.status;
    return at::from_blob(const_cast<char*>(result.data.data()),
                         {1, result.height, result.width}, at::kFloat)
        .clone();
  }

  // Each job alone, in passes of `max_rows`.
  Explanation Explain(const Job& job, int64_t max_rows = 16) {
    model_->config.batching.max_rows = max_rows;
    RecordingObserver observer;
    Engine engine({}, Clock::Real(), observer);
    ServeModel(engine, model_);
    Answers answers(1);
    engine.Submit(job, answers.For(0));
    answers.AwaitAll();
    return answers.of(0).value();
  }

  const std::shared_ptr<LoadedModel> model_ = LoadTinyResnet();
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_ENGINE_SAMPLED_JOBS_H_
