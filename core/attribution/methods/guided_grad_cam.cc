// Guided Grad-CAM: the map of guided backpropagation at the input, multiplied
// by Grad-CAM's at a layer, resized to it.
//
// Source: Selvaraju et al., ICCV 2017, arXiv:1610.02391, sec. 3.2.

#include <ATen/ATen.h>

#include "core/attribution/method.h"

namespace saliency::methods {

extern const Method grad_cam;
extern const Method guided_backprop;

namespace {

at::Tensor GradCamFactor(const MethodContext& context) {
  return grad_cam.attribute(context);
}

}  // namespace

extern const Method
    guided_grad_cam;  // declared first: a const is otherwise internal
const Method guided_grad_cam = {
    .name = "guided_grad_cam",
    .summary = "Guided backpropagation at the input, times Grad-CAM at a layer",
    .formula =
        "max_k |p_k| of guided_backprop at the input, times "
        "(sum_k mean_u(g_k) x_k)+ resized to it",
    .source = "Selvaraju et al. 2017, arXiv:1610.02391, sec. 3.2",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &GradCamFactor,
    .aliases = "guidedgradientweightedclassactivationmapping",
    .input_factor = &guided_backprop,
};

}  // namespace saliency::methods
