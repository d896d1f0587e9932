// Layer-wise relevance propagation by the epsilon rule: each operator shares an
// output's relevance among its inputs by what they contribute to it.
//
// Source: Bach, Binder, Montavon, Klauschen, Mueller, Samek 2015, PLoS ONE
// 10(7), eq. 58.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor LrpEpsilon(const MethodContext& context) {
  return ReduceProduct(Reduction::kSum, context.layer.activation,
                       context.layer.gradient);
}

}  // namespace

extern const Method
    lrp_epsilon;  // declared first: a const is otherwise internal
const Method lrp_epsilon = {
    .name = "lrp_epsilon",
    .summary = "Relevance by the epsilon rule, summed over channels",
    .formula = "sum_k R_k; R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j",
    .source = "Bach et al. 2015, PLoS ONE 10(7), eq. 58",
    .method_inputs = MethodInputs::kRelevance,
    .is_signed = true,
    .attribute = &LrpEpsilon,
    .aliases =
        "lrp epsilonlrp lrp0 lrpzero layerwiserelevancepropagation relevance",
    .rule = {.kind = BackwardRule::Kind::kLrpEpsilon},
};

}  // namespace saliency::methods
