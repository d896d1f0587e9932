// Selective NormGrad: the norm of the positive part of each channel's share of
// the linear approximation.  The positive part is taken of the contributions,
// before the norm, not of their sum.
//
// Source: the paper, sec. 3.1.3 (filtering, "F+N") and Table 2, row "scaling".

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor SelectiveNormGrad(const MethodContext& context) {
  return ExtractAggregate(Extract::kScaling, Aggregate::kPositiveNorm,
                          context.layer);
}

}  // namespace

extern const Method
    selective_norm_grad;  // declared first: a const is otherwise internal
const Method selective_norm_grad = {
    .name = "selective_norm_grad",
    .summary = "Norm of the positive part of activation times gradient",
    .formula = "|(g x)+|",
    .source =
        "Rebuffi et al. 2020, arXiv:2004.02866, sec. 3.1.3 (scaling, F+N)",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &SelectiveNormGrad,
};

}  // namespace saliency::methods
