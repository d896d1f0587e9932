// Excitation backprop: the probability that a random walk from the explained
// unit, by positive weights alone, comes by a position.
//
// Source: Zhang, Lin, Brandt, Shen, Sclaroff, ECCV 2016, arXiv:1608.00507,
// eq. 5 to 8.  Where activations may be negative it is no probability, and is
// not clamped.

#include <ATen/ATen.h>

#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor ExcitationBackprop(const MethodContext& context) {
  return context.layer.gradient.sum(1);
}

}  // namespace

extern const Method
    excitation_backprop;  // declared first: a const is otherwise internal
const Method excitation_backprop = {
    .name = "excitation_backprop",
    .summary =
        "Probability of reaching a position by positive weights, from the "
        "class down",
    .formula = "sum_k p_k; p_in = x f^T(p_out / f(x)) by positive weights",
    .source = "Zhang et al. 2016, arXiv:1608.00507, eq. 5 to 8",
    .method_inputs = MethodInputs::kExcitation,
    .is_signed = true,
    .attribute = &ExcitationBackprop,
    .aliases = "eb excitation excitationbackpropagation",
    .rule = {.kind = BackwardRule::Kind::kExcitation},
};

}  // namespace saliency::methods
