// Grad-CAM++: channels weighted by the positive parts of their gradients, those
// positions first where the gradient changes least with the activation.  Not
// homogeneous in the gradient.
//
// Source: Chattopadhay, Sarkar, Howlader, Balasubramanian, WACV 2018,
// arXiv:1710.11063, eq. 19, with the exponential of the score as its output.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor GradCamPlusPlus(const MethodContext& context) {
  const LayerRecord& layer = context.layer;
  // Keeps a gradient of 0 from 0/0: its position has the weight 0.
  constexpr double kEpsilon = 1e-6;
  const at::Tensor square = layer.gradient * layer.gradient;
  const at::Tensor total = layer.activation.sum({2, 3}, /*keepdim=*/true);
  const at::Tensor alpha =
      square / (2 * square + total * square * layer.gradient + kEpsilon);
  const at::Tensor weights = (layer.gradient.clamp_min(0) * alpha).sum({2, 3});
  return WeightedChannelSum(layer.activation, weights).clamp_min(0);
}

}  // namespace

extern const Method
    grad_cam_plus_plus;  // declared first: a const is otherwise internal
const Method grad_cam_plus_plus = {
    .name = "grad_cam_plus_plus",
    .summary =
        "Channels weighted by positive gradients, by their higher derivatives",
    .formula =
        "(sum_k w_k x_k)+, w_k = sum_u (g_k)+ g_k^2 / (2 g_k^2 + g_k^3 sum_v "
        "x_k)",
    .source = "Chattopadhay et al. 2018, arXiv:1710.11063, eq. 19",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &GradCamPlusPlus,
    .aliases = "gradcam++ gradcampp",
};

}  // namespace saliency::methods
