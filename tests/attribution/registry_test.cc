#include "core/attribution/registry.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "core/attribution/methods_not_offered.h"
#include "core/base/near_names.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::registry_test {
namespace {

using testing::HasSubstr;

TEST(RegistryTest, MethodsAreSortedAndUnique) {
  const auto before = [](const Method* a, const Method* b) {
    return std::strcmp(a->name, b->name) < 0;
  };
  EXPECT_TRUE(std::is_sorted(AllMethods().begin(), AllMethods().end(), before));
  std::set<std::string> names;
  for (const Method* method : AllMethods()) {
    EXPECT_TRUE(names.insert(method->name).second) << method->name;
  }
}

TEST(RegistryTest, TheApisNamesAreAllThere) {
  for (const char* name : {"gradient",
                           "gradient_sum",
                           "linear_approximation",
                           "norm_grad",
                           "norm_grad_conv3x3",
                           "norm_grad_real_conv",
                           "selective_norm_grad",
                           "grad_cam",
                           "cam",
                           "batch_norm_scale",
                           "batch_norm_bias",
                           "hires_cam",
                           "layer_cam",
                           "xgrad_cam",
                           "grad_cam_plus_plus",
                           "grad_cam_elementwise",
                           "eigen_cam",
                           "eigen_grad_cam",
                           "deconvnet",
                           "guided_backprop",
                           "guided_grad_cam",
                           "excitation_backprop",
                           "contrastive_excitation_backprop",
                           "lrp_epsilon",
                           "lrp_gamma",
                           "lrp_alpha_beta",
                           "lrp_composite",
                           "deep_lift"}) {
    ASSERT_TRUE(FindMethod(name).ok()) << name;
    EXPECT_STREQ(FindMethod(name).value()->name, name);
  }
}

TEST(RegistryTest, EveryMethodSaysWhatItIsAndWhereItComesFrom) {
  for (const Method* method : AllMethods()) {
    SCOPED_TRACE(method->name);
    EXPECT_NE(std::string(method->summary), "");
    EXPECT_NE(std::string(method->formula), "");
    EXPECT_NE(std::string(method->source), "");
    EXPECT_NE(method->attribute, nullptr);
  }
}

TEST(RegistryTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  for (const std::string name : {"NormGradd", "", "norm_grad 4"}) {
    const absl::Status status = FindMethod(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("method \"" + name + "\" is unknown"));
    for (const Method* method : AllMethods()) {
      EXPECT_THAT(message, HasSubstr(method->name));
    }
  }
}

TEST(RegistryTest, TheNearestKnownNameComesFirst) {
  EXPECT_THAT(std::string(FindMethod("grad_cma").status().message()),
              HasSubstr("known, nearest first: grad_cam, "));
}

TEST(RegistryTest, CaseAndPunctuationDoNotCount) {
  for (const Method* method : AllMethods()) {
    std::string shouted(method->name);
    for (char& c : shouted) c = c == '_' ? '-' : absl::ascii_toupper(c);
    ASSERT_TRUE(FindMethod(shouted).ok()) << shouted;
    EXPECT_EQ(*FindMethod(shouted), method);
  }
}

TEST(RegistryTest, TheFieldsNamesFindTheirMethods) {
  const std::pair<const char*, const char*> names[] = {
      {"gradcam", "grad_cam"},
      {"Grad-CAM", "grad_cam"},
      {"LayerGradCam", "grad_cam"},
      {"normgrad", "norm_grad"},
      {"NormGrad", "norm_grad"},
      {"Selective NormGrad", "selective_norm_grad"},
      {"saliency", "gradient"},
      {"vanilla", "gradient"},
      {"vanilla_gradient", "gradient"},
      {"Saliency", "gradient"},
      {"backprop", "gradient"},
      {"InputXGradient", "linear_approximation"},
      {"gradient_x_input", "linear_approximation"},
      {"linear_approx", "linear_approximation"},
      {"class activation mapping", "cam"},
      {"gradcam++", "grad_cam_plus_plus"},
      {"Grad-CAM++", "grad_cam_plus_plus"},
      {"GradCAMPlusPlus", "grad_cam_plus_plus"},
      {"LayerCAM", "layer_cam"},
      {"HiResCAM", "hires_cam"},
      {"XGrad-CAM", "xgrad_cam"},
      {"GradCAMElementWise", "grad_cam_elementwise"},
      {"EigenCAM", "eigen_cam"},
      {"EigenGradCAM", "eigen_grad_cam"},
      {"Deconvolution", "deconvnet"},
      {"GuidedBackprop", "guided_backprop"},
      {"GuidedGradCam", "guided_grad_cam"},
      {"EB", "excitation_backprop"},
      {"LRP", "lrp_epsilon"},
      {"DeepLift", "deep_lift"},
  };
  for (const auto& [alias, name] : names) {
    ASSERT_TRUE(FindMethod(alias).ok()) << alias;
    EXPECT_STREQ((*FindMethod(alias))->name, name) << alias;
  }
}

TEST(RegistryTest, ANameWithoutCounterpartIsToldWhatStandsNearest) {
  for (const char* name : {"ablation_cam", "FullGrad", "RectGrad",
                           "ExtremalPerturbation", "shap", "GradientShap"}) {
    const absl::Status status = FindMethod(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    const std::string message(status.message());
    EXPECT_EQ(message.find("method \"" + std::string(name) + "\" is unknown: "),
              0U)
        << message;
    EXPECT_THAT(message, HasSubstr("; known: ")) << "the list as well";
    EXPECT_NE(WhyNotOffered(FoldedName(name)), "");
  }
  EXPECT_EQ(WhyNotOffered("nonsense"), "");
}

// One name must not mean two methods, nor a method and none.
TEST(RegistryTest, EachAliasIsFoldedAndMeansOneMethod) {
  std::set<std::string> taken;
  for (const Method* method : AllMethods()) {
    EXPECT_TRUE(taken.insert(FoldedName(method->name)).second);
    for (const std::string& alias : AliasesOf(*method)) {
      EXPECT_EQ(FoldedName(alias), alias);
      EXPECT_TRUE(taken.insert(alias).second) << alias;
    }
  }
  for (const std::string& name : taken) EXPECT_EQ(WhyNotOffered(name), "");
}

TEST(RegistryTest, AnInventedNameIsEscapedAndCut) {
  const absl::Status status = FindMethod(std::string(5000, '\n')).status();
  EXPECT_LT(status.message().size(), 1000u);
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
}

}  // namespace
}  // namespace saliency::registry_test
