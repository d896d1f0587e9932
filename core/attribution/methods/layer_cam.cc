// LayerCAM: each position's channels weighted by the positive part of their own
// gradients there.
//
// Source: Jiang, Zhang, Hou, Cheng, Wei, IEEE TIP 2021,
// doi:10.1109/TIP.2021.3089943, eq. 5 to 7.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor LayerCam(const MethodContext& context) {
  return ReduceProduct(Reduction::kSum, context.layer.activation,
                       context.layer.gradient.clamp_min(0))
      .clamp_min(0);
}

}  // namespace

extern const Method layer_cam;  // declared first: a const is otherwise internal
const Method layer_cam = {
    .name = "layer_cam",
    .summary =
        "Activation weighted by the gradient's positive part, at each position",
    .formula = "(sum_k (g_k)+ x_k)+",
    .source = "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943, eq. 5 to 7",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &LayerCam,
    .aliases = "",
};

}  // namespace saliency::methods
