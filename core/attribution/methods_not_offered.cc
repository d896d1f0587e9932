#include "core/attribution/methods_not_offered.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_split.h"

namespace saliency {
namespace {

struct NotOffered {
  const char* names;  // folded, separated by spaces
  const char* why;
};

constexpr NotOffered kNotOffered[] = {
    {"ablationcam fullgrad shapleycam finercam",
     "it is not offered; score_cam, grad_cam and norm_grad are"},
    {"expectedgradients blurig guidedig",
     "of the methods that follow a path integrated_gradients is offered"},
    {"rectgrad", "it is not offered; guided_backprop is, and so is deconvnet"},
    {"deepliftshap gradientshap deepshap",
     "of the methods with references deep_lift and integrated_gradients are "
     "offered"},
    {"shap shapley shapleyvaluesampling featureablation extremalperturbation "
     "meaningfulperturbation",
     "of the methods that perturb the image occlusion, rise, lime and "
     "kernel_shap are offered"},
    {"attention attentionrollout rollout",
     "attention is not read; gradient and norm_grad at layer input work for "
     "any model"},
};

}  // namespace

absl::string_view WhyNotOffered(absl::string_view folded_name) {
  for (const NotOffered& method : kNotOffered) {
    const std::vector<absl::string_view> names =
        absl::StrSplit(method.names, ' ');
    if (std::find(names.begin(), names.end(), folded_name) != names.end()) {
      return method.why;
    }
  }
  return "";
}

}  // namespace saliency
