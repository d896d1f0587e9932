// Layer-wise relevance propagation by the gamma rule: what has the sign of an
// output counts 1 + gamma times.
//
// Sources: Montavon et al. 2019, LRP: An Overview, sec. 10.2.3; Andeol et al.
// 2021, arXiv:2105.14372, for inputs of both signs.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor LrpGamma(const MethodContext& context) {
  return ReduceProduct(Reduction::kSum, context.layer.activation,
                       context.layer.gradient);
}

}  // namespace

extern const Method lrp_gamma;  // declared first: a const is otherwise internal
const Method lrp_gamma = {
    .name = "lrp_gamma",
    .summary = "Relevance by the gamma rule, summed over channels",
    .formula = "sum_k R_k; what has the sign of z_j counts 1 + gamma times",
    .source = "Montavon et al. 2019, LRP: An Overview, sec. 10.2.3",
    .method_inputs = MethodInputs::kRelevance,
    .is_signed = true,
    .attribute = &LrpGamma,
    .aliases = "gammalrp",
    .rule = {.kind = BackwardRule::Kind::kLrpGamma},
};

}  // namespace saliency::methods
