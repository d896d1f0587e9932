// Layer-wise relevance propagation by the alpha-beta rule, alpha 1 and beta 0
// unless others are asked for.
//
// Source: Bach, Binder, Montavon, Klauschen, Mueller, Samek 2015, PLoS ONE
// 10(7), eq. 60.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor LrpAlphaBeta(const MethodContext& context) {
  return ReduceProduct(Reduction::kSum, context.layer.activation,
                       context.layer.gradient);
}

}  // namespace

extern const Method
    lrp_alpha_beta;  // declared first: a const is otherwise internal
const Method lrp_alpha_beta = {
    .name = "lrp_alpha_beta",
    .summary = "Relevance by the alpha-beta rule, summed over channels",
    .formula =
        "sum_k R_k; R_i = sum_j (alpha (x_i w_ij)+ / (z_j)+ - beta (x_i w_ij)- "
        "/ (z_j)-) R_j",
    .source = "Bach et al. 2015, PLoS ONE 10(7), eq. 60",
    .method_inputs = MethodInputs::kRelevance,
    .is_signed = true,
    .attribute = &LrpAlphaBeta,
    .aliases = "alphabetalrp lrpalpha1beta0 lrpzplus zplus",
    .rule = {.kind = BackwardRule::Kind::kLrpAlphaBeta},
};

}  // namespace saliency::methods
