// Guided Grad-CAM over the tiny network: a product of the maps of two methods
// by two backward rules.

#include <ATen/ATen.h>

#include <string>

#include "core/attribution/postprocess.h"
#include "core/engine/plan/plan_results.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/job_parts.h"
#include "tests/engine/sampled_jobs.h"

namespace saliency::guided_grad_cam_test {
namespace {

using ::testing::HasSubstr;

class GuidedGradCamTest : public SampledJobsTest {
 protected:
  // What the job's first two results, guided backpropagation at the input and
  // Grad-CAM, come to.
  at::Tensor ProductOf(const Explanation& explanation, int first) {
    const at::Tensor guided = MapOf(explanation.results[first]);
    const at::Tensor cam = MapOf(explanation.results[first + 1]);
    return guided * ResizeMaps(cam, guided.size(1), guided.size(2));
  }

  void ExpectNear(const at::Tensor& actual, const at::Tensor& expected) {
    ASSERT_EQ(actual.sizes(), expected.sizes());
    const double largest = expected.abs().max().item<double>();
    EXPECT_GT(largest, 0);
    EXPECT_LE((actual - expected).abs().max().item<double>(),
              kRounding * largest);
  }
};

TEST_F(GuidedGradCamTest, IsTheProductOfBothMaps) {
  Job job =
      JobOf(1, {At("guided_backprop", {"input"}), At("grad_cam", {"layer3"}),
                At("guided_grad_cam", {"layer3"})});
  job.targets = {RankFromTop{}, ClassIndex{3}};
  const Explanation all = Explain(job);
  ASSERT_EQ(all.results.size(), 6);
  for (const int first : {0, 3}) {
    ExpectNear(MapOf(all.results[first + 2]), ProductOf(all, first));
    EXPECT_GE(all.results[first + 2].raw_min, 0);
    EXPECT_EQ(all.results[first + 2].layer, "layer3");
  }
  job.attributions = {At("guided_grad_cam", {"layer3", "input"})};
  const Explanation alone = Explain(job);
  ASSERT_EQ(alone.results.size(), 4);
  ExpectNear(MapOf(alone.results[0]), MapOf(all.results[2]));
}

TEST_F(GuidedGradCamTest, BothFactorsAreTakenAfterAMetaStep) {
  Job job =
      JobOf(2, {At("guided_backprop", {"input"}), At("grad_cam", {"layer2"}),
                At("guided_grad_cam", {"layer2"})});
  job.targets = {ClassIndex{1}};
  job.meta = JobMetaStep{.epsilon = 1e-3};
  job.plain_maps = true;
  const Explanation stepped = Explain(job);
  ExpectNear(MapOf(stepped.results[2]), ProductOf(stepped, 0));
  Job plain = job;
  plain.meta.reset();
  plain.plain_maps = false;
  ExpectNear(MapOf(stepped.plain_results[2]), MapOf(Explain(plain).results[2]));
}

TEST_F(GuidedGradCamTest, MayBeCombinedOverLayers) {
  Job job = JobOf(3, {});
  job.targets = {ClassIndex{1}};
  job.combinations = {{.attribution = *Attribution::Named("guided_grad_cam"),
                       .layers = {"layer2", "layer3"}}};
  job.layer_maps = true;
  job.output.size = OutputSize::kModelInput;
  const Explanation combined = Explain(job);
  ASSERT_EQ(combined.combined.size(), 1);
  ASSERT_TRUE(combined.combined[0].map.status.ok())
      << combined.combined[0].map.status;
  at::Tensor expected;
  for (const MapResult& layer : combined.layer_maps) {
    const at::Tensor map = MapOf(layer);
    const at::Tensor part = (map - map.min()) / (map.max() - map.min()) / 2;
    expected = expected.defined() ? expected + part : part;
  }
  ExpectNear(MapOf(combined.combined[0].map), expected);
}

TEST(GuidedGradCamPlanTest, NeedsTheRuleOfItsFactor) {
  ModelMetadata model = FakeModel();
  model.rule_refusals[BackwardRule::Kind::kGuidedBackprop] =
      "operator silu of layer \"act\", which is no ReLU";
  Job job;
  job.attributions = {At("guided_grad_cam", {"last"})};
  Violations found;
  PlanResults(job, model, {}, found);
  EXPECT_THAT(std::string(found.status().message()),
              HasSubstr("method \"guided_grad_cam\" is not defined for this "
                        "model: it has operator silu of layer \"act\""));
}

TEST(GuidedGradCamPlanTest, CannotBeSmoothed) {
  const auto smoothed =
      Attribution::Smoothed({}, *Attribution::Named("guided_grad_cam"));
  EXPECT_THAT(std::string(smoothed.status().message()),
              HasSubstr("\"guided_grad_cam\" is a product of two maps"));
}

}  // namespace
}  // namespace saliency::guided_grad_cam_test
