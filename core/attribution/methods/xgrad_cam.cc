// XGrad-CAM: channels weighted by their gradients' mean over positions, each
// position counted by its share of the channel's activation.
//
// Source: Fu, Hu, Dong, Guo, Gao, Li, BMVC 2020, arXiv:2008.02312, eq. 8 and 9.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor XGradCam(const MethodContext& context) {
  const LayerRecord& layer = context.layer;
  // A channel that is zero everywhere has no weight, and adds nothing.
  constexpr double kEpsilon = 1e-7;
  const at::Tensor total = layer.activation.sum({2, 3});
  const at::Tensor weights =
      (layer.activation * layer.gradient).sum({2, 3}) / (total + kEpsilon);
  return WeightedChannelSum(layer.activation, weights).clamp_min(0);
}

}  // namespace

extern const Method xgrad_cam;  // declared first: a const is otherwise internal
const Method xgrad_cam = {
    .name = "xgrad_cam",
    .summary =
        "Channels weighted by their activation-weighted mean gradient, "
        "positive part",
    .formula = "(sum_k w_k x_k)+, w_k = sum_u g_k x_k / sum_u x_k",
    .source = "Fu et al. 2020, arXiv:2008.02312, eq. 8 and 9",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &XGradCam,
    .aliases = "axiomcam axiombasedgradcam",
};

}  // namespace saliency::methods
