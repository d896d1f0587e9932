// Methods with parameters out of the API's messages.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert_request.h"

namespace saliency::convert_methods_test {
namespace {

using ::testing::HasSubstr;

TEST(ConvertMethodsTest, ParametersOfMethodsArriveAndHaveDefaults) {
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image("x");
  v1::SmoothGrad* smooth = request.add_attributions()->mutable_smooth_grad();
  smooth->mutable_base()->set_method("norm_grad");
  smooth->set_statistic(v1::SAMPLE_STATISTIC_VARIANCE);
  smooth->set_samples(12);
  smooth->set_noise_level(0.25);
  smooth->set_seed(99);
  request.add_attributions()->mutable_smooth_grad();
  request.add_attributions()->set_method("SmoothGrad");
  v1::IntegratedGradients* path =
      request.add_attributions()->mutable_integrated_gradients();
  path->set_baseline(v1::BASELINE_MEAN);
  path->set_steps(7);
  request.add_attributions()->set_method("integrated_gradients");
  v1::Occlusion* occlusion = request.add_attributions()->mutable_occlusion();
  occlusion->set_baseline(v1::BASELINE_BLURRED);
  occlusion->set_patch_size(20);
  occlusion->set_stride(10);
  v1::Rise* rise = request.add_attributions()->mutable_rise();
  rise->set_baseline(v1::BASELINE_BLACK);
  rise->set_masks(100);
  rise->set_cells(9);
  rise->set_keep_probability(0.25);
  rise->set_seed(5);
  request.add_attributions()->mutable_rise();
  request.add_attributions()->set_method("RISE");
  v1::Lime* lime = request.add_attributions()->mutable_lime();
  lime->set_baseline(v1::BASELINE_BLURRED);
  lime->set_samples(300);
  lime->set_segments(80);
  lime->set_compactness(0.5);
  lime->set_ridge(0);
  lime->set_kernel_width(0.75);
  lime->set_seed(6);
  request.add_attributions()->set_method("LIME");
  v1::KernelShap* shap = request.add_attributions()->mutable_kernel_shap();
  shap->set_baseline(v1::BASELINE_BLACK);
  shap->set_samples(62);
  shap->set_segments(6);
  shap->set_compactness(20);
  shap->set_seed(8);
  request.add_attributions()->set_method("KernelSHAP");
  const Job job = JobFromProto(request, {}).value();
  ASSERT_EQ(job.attributions.size(), 13);
  const auto sampling = [&](int i) {
    return *job.attributions[i].attribution.sampling();
  };
  EXPECT_EQ(sampling(0),
            Sampling(SmoothGrad{.statistic = SampleStatistic::kVariance,
                                .samples = 12,
                                .noise_level = 0.25,
                                .seed = 99}));
  EXPECT_EQ(job.attributions[0].attribution.name(), "var_grad(norm_grad)");
  EXPECT_EQ(sampling(1), Sampling(SmoothGrad()));
  EXPECT_EQ(job.attributions[1].attribution, job.attributions[2].attribution);
  EXPECT_EQ(sampling(3),
            Sampling(IntegratedGradients{
                .baseline = IntegratedGradients::Baseline::kMean, .steps = 7}));
  EXPECT_EQ(sampling(4), Sampling(IntegratedGradients()));
  EXPECT_EQ(sampling(5), Sampling(Occlusion{.baseline = Baseline::kBlurred,
                                            .patch_size = 20,
                                            .stride = 10}));
  EXPECT_EQ(sampling(6), Sampling(Rise{.baseline = Baseline::kBlack,
                                       .masks = 100,
                                       .cells = 9,
                                       .keep_probability = 0.25,
                                       .seed = 5}));
  EXPECT_EQ(job.attributions[7].attribution, job.attributions[8].attribution);
  EXPECT_EQ(sampling(9), Sampling(Lime{.baseline = Baseline::kBlurred,
                                       .samples = 300,
                                       .segments = 80,
                                       .compactness = 0.5,
                                       .ridge = 0,
                                       .kernel_width = 0.75,
                                       .seed = 6}));
  EXPECT_EQ(sampling(10), Sampling(Lime()));
  EXPECT_EQ(sampling(11), Sampling(KernelShap{.baseline = Baseline::kBlack,
                                              .samples = 62,
                                              .segments = 6,
                                              .compactness = 20,
                                              .seed = 8}));
  EXPECT_EQ(sampling(12), Sampling(KernelShap()));
}

TEST(ConvertMethodsTest, RulesComeWithTheirParameters) {
  using Kind = BackwardRule::Kind;
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image("x");
  request.add_attributions()
      ->mutable_guided_backprop()
      ->set_allow_unsupported_activations(true);
  request.add_attributions()->mutable_deconvnet();
  request.add_attributions()->mutable_excitation_backprop()->set_sums(
      v1::SUM_RULE_COPY);
  request.add_attributions()->mutable_contrastive_excitation_backprop();
  request.add_attributions()->mutable_lrp_epsilon()->set_epsilon(0.5);
  request.add_attributions()->mutable_lrp_gamma()->set_gamma(2);
  request.add_attributions()->mutable_lrp_alpha_beta()->set_beta(1);
  request.add_attributions()->mutable_lrp_composite()->set_gamma(0);
  request.add_attributions()->mutable_deep_lift()->set_baseline(
      v1::BASELINE_MEAN);
  const BackwardRule rules[] = {
      {.kind = Kind::kGuidedBackprop, .allow_unsupported_activations = true},
      {.kind = Kind::kDeconvnet},
      {.kind = Kind::kExcitation, .split_sums = false},
      {.kind = Kind::kContrastiveExcitation},
      {.kind = Kind::kLrpEpsilon, .epsilon = 0.5},
      {.kind = Kind::kLrpGamma, .gamma = 2},
      {.kind = Kind::kLrpAlphaBeta, .alpha = 2, .beta = 1},
      {.kind = Kind::kLrpComposite, .gamma = 0},
      {.kind = Kind::kDeepLift, .reference = BackwardRule::Reference::kMean}};
  const Job job = JobFromProto(request, {}).value();
  ASSERT_EQ(job.attributions.size(), std::size(rules));
  for (std::size_t i = 0; i < std::size(rules); ++i) {
    EXPECT_TRUE(job.attributions[i].attribution.rule() == rules[i]) << i;
  }
  request.mutable_attributions(5)->mutable_lrp_gamma()->set_gamma(-1);
  EXPECT_THAT(
      std::string(JobFromProto(request, {}).status().message()),
      HasSubstr("attributions[5]: lrp_gamma: gamma: -1 not in [0, 100]"));
}

TEST(ConvertMethodsTest, WrongParametersAreNamedByTheirPath) {
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image("x");
  v1::SmoothGrad* smooth = request.add_attributions()->mutable_smooth_grad();
  smooth->set_samples(0);
  v1::SmoothGrad* nested = request.add_attributions()->mutable_smooth_grad();
  nested->mutable_base()->mutable_smooth_grad();
  v1::SmoothGrad* layered = request.add_attributions()->mutable_smooth_grad();
  layered->mutable_base()->set_method("gradient");
  layered->mutable_base()->add_layers("input");
  request.add_attributions()->mutable_integrated_gradients()->set_steps(1001);
  v1::IntegratedGradients* path =
      request.add_attributions()->mutable_integrated_gradients();
  path->set_baseline(v1::BASELINE_BLACK);
  path->set_baseline_image("x");
  request.add_attributions()->mutable_occlusion()->set_patch_size(0);
  request.add_attributions()->mutable_rise()->set_keep_probability(1.5);
  request.add_attributions()->mutable_lime()->set_ridge(-1);
  request.add_attributions()->mutable_kernel_shap()->set_segments(1);
  const absl::Status status = JobFromProto(request, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  for (const char* part :
       {"attributions[0]: smooth_grad: samples: 0 not in [1, 1000]",
        "attributions[1]: smooth_grad: base: smooth_grad: is no method",
        "attributions[2]: smooth_grad: base: layers: set",
        "attributions[3]: integrated_gradients: steps: 1001 not in",
        "attributions[4]: integrated_gradients: baseline_image: set together",
        "attributions[5]: occlusion: patch_size: 0 not in [1, 4096]",
        "attributions[6]: rise: keep_probability: 1.5 not in [0.01, 0.99]",
        "attributions[7]: lime: ridge: -1 not in [0, 1e+06]",
        "attributions[8]: kernel_shap: segments: 1 not in [2, 256]"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

}  // namespace
}  // namespace saliency::convert_methods_test
