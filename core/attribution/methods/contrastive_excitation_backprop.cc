// Contrastive excitation backprop: excitation backprop of the class less that
// of its complement, which has the last linear layer's weights negated.
//
// Source: Zhang, Lin, Brandt, Shen, Sclaroff, ECCV 2016, arXiv:1608.00507, sec.
// 3.3.

#include <ATen/ATen.h>

#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor ContrastiveExcitationBackprop(const MethodContext& context) {
  return context.layer.gradient.sum(1).clamp_min(0);
}

}  // namespace

extern const Method contrastive_excitation_backprop;  // declared first: a const
                                                      // is otherwise internal
const Method contrastive_excitation_backprop = {
    .name = "contrastive_excitation_backprop",
    .summary =
        "Excitation backprop less that of the class's complement, positive "
        "part",
    .formula =
        "(sum_k p_k)+, p from the last linear layer down: by its weights less "
        "by the negated ones",
    .source = "Zhang et al. 2016, arXiv:1608.00507, sec. 3.3",
    .method_inputs = MethodInputs::kExcitation,
    .is_signed = false,
    .attribute = &ContrastiveExcitationBackprop,
    .aliases =
        "ceb contrastiveeb contrastiveexcitationbackpropagation cmwp "
        "contrastivemwp",
    .rule = {.kind = BackwardRule::Kind::kContrastiveExcitation},
};

}  // namespace saliency::methods
