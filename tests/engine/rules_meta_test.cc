// Methods with backward rules of their own after a meta step: as of a model
// whose file holds the stepped weights.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/attribution/registry.h"
#include "core/engine/engine.h"
#include "gtest/gtest.h"
#include "tests/engine/job_parts.h"
#include "tests/engine/sampled_jobs.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/tensor_close.h"

namespace saliency::rules_meta_test {
namespace {

constexpr double kEpsilon = 2e-4;

class RulesMetaTest : public SampledJobsTest {
 protected:
  // Each method at a layer where it applies.
  static std::vector<JobAttribution> Methods() {
    std::vector<JobAttribution> methods = {At("norm_grad", {"layer3"})};
    for (const Method* method : AllMethods()) {
      if (method->rule.is_gradient()) continue;
      methods.push_back(At(method->name, {"layer3"}));
    }
    return methods;
  }

  static Job SteppedJob(double epsilon) {
    Job job = JobOf(3, Methods());
    job.targets = {ClassIndex{kClass}};
    job.meta = JobMetaStep{.epsilon = epsilon};
    return job;
  }

  // Explains the job by `model` instead of model_.
  Explanation ExplainBy(const std::shared_ptr<LoadedModel>& model,
                        const Job& job) {
    RecordingObserver observer;
    Engine engine({}, Clock::Real(), observer);
    ServeModel(engine, model);
    Answers answers(1);
    engine.Submit(job, answers.For(0));
    answers.AwaitAll();
    return answers.of(0).value();
  }

  void ExpectSame(const std::vector<MapResult>& actual,
                  const std::vector<MapResult>& expected, double tolerance) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      SCOPED_TRACE(expected[i].method);
      const at::Tensor want = MapOf(expected[i]);
      EXPECT_GT(want.abs().max().item<float>(), 0);
      EXPECT_TRUE(RowsClose(MapOf(actual[i]), want, tolerance));
    }
  }

  static constexpr int64_t kClass = 2;
};

// theta' written into the model's file.
std::shared_ptr<LoadedModel> LoadStepped(const at::Tensor& image,
                                         int64_t class_index) {
  torch::jit::Module module =
      torch::jit::load(SALIENCY_GOLDEN_DIR "/tiny_resnet/model_script.pt");
  module.eval();
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : module.parameters()) {
    parameter.set_requires_grad(true);
    parameters.push_back(parameter);
  }
  const at::Tensor loss =
      -at::log_softmax(module.forward({image}).toTensor(), 1)[0][class_index];
  const std::vector<at::Tensor> gradients =
      torch::autograd::grad({loss}, parameters, {}, false, false,
                            /*allow_unused=*/true);
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (gradients[i].defined()) {
      parameters[i].sub_(gradients[i], 2 * kEpsilon);
    }
    parameters[i].set_requires_grad(false);
  }
  const std::string path = testing::TempDir() + "/rules_meta_stepped.pt";
  module.save(path);
  std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  LoadOptions options;
  options.input_height = kTinyHeight;
  options.input_width = kTinyWidth;
  model->replicas.clear();
  model->replicas.push_back(ProbedModel::Load(path, options).value());
  return model;
}

TEST_F(RulesMetaTest, TheyAreThoseOfTheSteppedModel) {
  const Explanation got = Explain(SteppedJob(kEpsilon));
  Job plain = SteppedJob(0);
  plain.meta.reset();
  const Explanation want = ExplainBy(LoadStepped(ImageOf(3), kClass), plain);
  ExpectSame(got.results, want.results, 1e-3);
  EXPECT_NEAR(got.results[0].score, want.results[0].score, 1e-3);
  EXPECT_NEAR(got.results.back().score, want.results.back().score, 1e-3);
}

TEST_F(RulesMetaTest, WithoutAStepTheyAreThePlainOnes) {
  Job plain = SteppedJob(0);
  plain.meta.reset();
  const Explanation want = Explain(plain);
  ExpectSame(Explain(SteppedJob(0)).results, want.results, 1e-6);
}

TEST_F(RulesMetaTest, PlainTwinsAndCorrelationsAreEachMethodsOwn) {
  Job job = SteppedJob(kEpsilon);
  job.plain_maps = true;
  job.correlate = Correlate::kPlain;
  const Explanation got = Explain(job);
  Job plain = SteppedJob(0);
  plain.meta.reset();
  ExpectSame(got.plain_results, Explain(plain).results, 1e-4);
  ExpectSame(got.results, Explain(SteppedJob(kEpsilon)).results, 1e-4);
  ASSERT_EQ(got.correlations.size(), job.attributions.size());
  for (std::size_t i = 0; i < got.correlations.size(); ++i) {
    const Job alone = [&] {
      Job one = job;
      one.attributions = {job.attributions[i]};
      return one;
    }();
    const Explanation single = Explain(alone);
    ASSERT_TRUE(single.correlations[0].has_value());
    EXPECT_NEAR(*got.correlations[i], *single.correlations[0], 1e-3);
  }
}

}  // namespace
}  // namespace saliency::rules_meta_test
