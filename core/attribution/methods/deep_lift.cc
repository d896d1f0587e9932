// DeepLIFT by the rescale rule: what an activation's difference from that of a
// reference image contributes to the score's.
//
// Source: Shrikumar, Greenside, Kundaje 2017, arXiv:1704.02685,
// sec. 3.2, 3.5.1.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor DeepLift(const MethodContext& context) {
  return ReduceProduct(Reduction::kSum, context.layer.activation,
                       context.layer.gradient);
}

}  // namespace

extern const Method deep_lift;  // declared first: a const is otherwise internal
const Method deep_lift = {
    .name = "deep_lift",
    .summary =
        "Share of a layer's difference from a reference image in the score's",
    .formula = "sum_k (x_k - x'_k) m_k; m = dy / dx at each activation",
    .source = "Shrikumar et al. 2017, arXiv:1704.02685, sec. 3.5.1",
    .method_inputs = MethodInputs::kRelevance,
    .is_signed = true,
    .attribute = &DeepLift,
    .aliases = "deepliftrescale",
    .rule = {.kind = BackwardRule::Kind::kDeepLift},
};

}  // namespace saliency::methods
