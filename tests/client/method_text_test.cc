#include "client/cli/method_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/request_text.h"

namespace saliency::method_text_test {
namespace {

using ::testing::HasSubstr;

TEST(MethodTextTest, ParametersArriveWhereTheyBelong) {
  const v1::Attribution smooth =
      ParseMethod("Smooth-Grad( samples=20, noise_level=0.05, seed=7 )")
          .value();
  ASSERT_TRUE(smooth.has_smooth_grad());
  EXPECT_EQ(smooth.smooth_grad().samples(), 20);
  EXPECT_EQ(smooth.smooth_grad().noise_level(), 0.05);
  EXPECT_EQ(smooth.smooth_grad().seed(), 7);
  EXPECT_FALSE(smooth.smooth_grad().has_base());
  const v1::Attribution path =
      ParseMethod("ig(steps=100,baseline=mean)").value();
  EXPECT_EQ(path.integrated_gradients().steps(), 100);
  EXPECT_EQ(path.integrated_gradients().baseline(), v1::BASELINE_MEAN);
  EXPECT_TRUE(
      ParseMethod("integrated_gradients()").value().has_integrated_gradients());
}

TEST(MethodTextTest, AnImageIsReadFromItsFile) {
  const std::string file = testing::TempDir() + "/baseline.png";
  std::ofstream(file, std::ios::binary) << "bytes of an image";
  const std::string text =
      absl::StrCat("integrated_gradients(baseline_image=", file, ")");
  EXPECT_EQ(ParseMethod(text).value().integrated_gradients().baseline_image(),
            "bytes of an image");
  EXPECT_THAT(
      std::string(
          ParseMethod("ig(baseline_image=/no/such.png)").status().message()),
      HasSubstr("/no/such.png"));
}

TEST(MethodTextTest, TheNameTellsTheStatistic) {
  const auto statistic = [](const char* text) {
    return ParseMethod(text).value().smooth_grad().statistic();
  };
  EXPECT_EQ(statistic("smooth_grad(samples=2)"),
            v1::SAMPLE_STATISTIC_UNSPECIFIED);
  EXPECT_EQ(statistic("smooth_grad_squared(samples=2)"),
            v1::SAMPLE_STATISTIC_MEAN_OF_SQUARES);
  EXPECT_EQ(statistic("var_grad(samples=2)"), v1::SAMPLE_STATISTIC_VARIANCE);
}

TEST(MethodTextTest, TheMethodThatIsAveragedMayBeAnyName) {
  EXPECT_EQ(ParseMethod("smooth_grad(of=grad_cam)")
                .value()
                .smooth_grad()
                .base()
                .method(),
            "grad_cam");
  EXPECT_EQ(ParseMethod("var_grad(of=scaling+norm,samples=3)")
                .value()
                .smooth_grad()
                .base()
                .pair()
                .extract(),
            v1::EXTRACT_SCALING);
}

TEST(MethodTextTest, RulesHaveTheirParametersByTheNamesOfTheFields) {
  const v1::Attribution guided =
      ParseMethod("Guided-Backprop(allow_unsupported_activations=true)")
          .value();
  EXPECT_TRUE(guided.guided_backprop().allow_unsupported_activations());
  EXPECT_EQ(ParseMethod("excitation_backprop(sums=copy)")
                .value()
                .excitation_backprop()
                .sums(),
            v1::SUM_RULE_COPY);
  const v1::Attribution composite =
      ParseMethod("lrp_composite(gamma=0.5, epsilon=0.001)").value();
  EXPECT_EQ(composite.lrp_composite().gamma(), 0.5);
  EXPECT_EQ(composite.lrp_composite().epsilon(), 0.001);
  const v1::Attribution lift =
      ParseMethod("deep_lift(baseline=mean,plain_max_pools=1)").value();
  EXPECT_EQ(lift.deep_lift().baseline(), v1::BASELINE_MEAN);
  EXPECT_TRUE(lift.deep_lift().plain_max_pools());
  EXPECT_TRUE(ParseMethod("lrp_alpha_beta()").value().has_lrp_alpha_beta());
}

TEST(MethodTextTest, WhatCannotBeReadIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"norm_grad(samples=2)", "it takes no parameters"},
      {"smooth_grad(n=2)",
       "unknown parameter \"n\"; known: of, statistic, samples, "
       "noise_level, seed"},
      {"smooth_grad(samples)", "\"samples\" is not NAME=VALUE"},
      {"smooth_grad(samples=many)", "samples: \"many\" is not a number"},
      {"smooth_grad(samples=2.5)", "samples: \"2.5\" is not a number"},
      {"smooth_grad(seed=-1)", "seed: \"-1\" is not a number"},
      {"ig(baseline=white)", "baseline \"white\""},
      {"lrp_gamma(epsilon=1)", "unknown parameter \"epsilon\"; known: gamma"},
      {"lrp_gamma(gamma=much)", "gamma: \"much\" is not a number"},
      {"deep_lift(baseline=white)", "baseline \"white\""},
      {"ig(step=3)", "unknown parameter \"step\"; known: baseline, steps"},
  };
  for (const auto& [text, why] : cases) {
    SCOPED_TRACE(text);
    const absl::Status status = ParseMethod(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
}

}  // namespace
}  // namespace saliency::method_text_test
