// Element-wise Grad-CAM: the positive part is taken of each channel's
// activation times gradient, before the sum.
//
// Source: pytorch-grad-cam by Gildenblat and contributors, which names it; no
// paper.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor GradCamElementwise(const MethodContext& context) {
  return (context.layer.activation * context.layer.gradient)
      .clamp_min(0)
      .sum(1);
}

}  // namespace

extern const Method
    grad_cam_elementwise;  // declared first: a const is otherwise internal
const Method grad_cam_elementwise = {
    .name = "grad_cam_elementwise",
    .summary =
        "Positive parts of activation times gradient, summed over channels",
    .formula = "sum_k (g_k x_k)+",
    .source = "pytorch-grad-cam's GradCAMElementWise",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &GradCamElementwise,
    .aliases = "elementwisegradcam",
};

}  // namespace saliency::methods
