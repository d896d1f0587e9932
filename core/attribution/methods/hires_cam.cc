// HiResCAM: activation times gradient summed over channels, positive part: the
// linear approximation without what speaks against the class.
//
// Source: Draelos and Carin 2020, arXiv:2011.08891, eq. 4.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor HiresCam(const MethodContext& context) {
  return ReduceProduct(Reduction::kSum, context.layer.activation,
                       context.layer.gradient)
      .clamp_min(0);
}

}  // namespace

extern const Method hires_cam;  // declared first: a const is otherwise internal
const Method hires_cam = {
    .name = "hires_cam",
    .summary = "Activation times gradient summed over channels, positive part",
    .formula = "(sum_k g_k x_k)+",
    .source = "Draelos and Carin 2020, arXiv:2011.08891, eq. 4",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &HiresCam,
    .aliases = "",
};

}  // namespace saliency::methods
