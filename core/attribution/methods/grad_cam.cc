// Grad-CAM: channels weighted by their mean gradient, then the positive part.
// Before global average pooling it is CAM's positive part divided by H W.
//
// Source: Selvaraju et al., ICCV 2017, arXiv:1610.02391, eq. 1 and 2.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor GradCam(const MethodContext& context) {
  const LayerRecord& layer = context.layer;
  const at::Tensor weights = layer.gradient.mean({2, 3});
  return WeightedChannelSum(layer.activation, weights).clamp_min(0);
}

}  // namespace

extern const Method grad_cam;  // declared first: a const is otherwise internal
const Method grad_cam = {
    .name = "grad_cam",
    .summary = "Channels weighted by their mean gradient, positive part",
    .formula = "(sum_k mean_u(g_k) x_k)+",
    .source = "Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &GradCam,
    .aliases = "layergradcam",
};

}  // namespace saliency::methods
