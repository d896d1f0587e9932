// Gradient, the oldest saliency map: how much the score would move with the
// most sensitive channel at each position.
//
// Source: Simonyan, Vedaldi, Zisserman, 2014, arXiv:1312.6034, sec. 3; the
// paper, sec. 3.1.2 and Table 2, row "bias", max of absolute values.  Max of
// |g|, not a signed maximum.

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor Gradient(const MethodContext& context) {
  return ExtractAggregate(Extract::kBias, Aggregate::kMaxAbs, context.layer);
}

}  // namespace

extern const Method gradient;  // declared first: a const is otherwise internal
const Method gradient = {
    .name = "gradient",
    .summary = "Largest absolute gradient over the channels",
    .formula = "max_k |g_k|",
    .source =
        "Simonyan et al. 2014, arXiv:1312.6034; Rebuffi et al. 2020, "
        "arXiv:2004.02866, Table 2 (bias)",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &Gradient,
    .aliases =
        "saliency vanilla vanillagradient vanillagradients "
        "vanillasaliency gradients grad backprop backpropagation "
        "simonyan",
};

}  // namespace saliency::methods
