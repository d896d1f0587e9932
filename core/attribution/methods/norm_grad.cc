// NormGrad: the norm of each position's contribution to the weight gradient of
// a virtual 1x1 convolution.  |x g^T| = |x| |g|: the K x K outer product is
// never built (K = 2048 at 7 x 7 would take 822 MB).
//
// Source: the paper, sec. 3.1.2, eq. 2 and Table 2, row "conv 1x1".

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor NormGrad(const MethodContext& context) {
  return ExtractAggregate(Extract::kConv1x1, Aggregate::kNorm, context.layer);
}

}  // namespace

extern const Method norm_grad;  // declared first: a const is otherwise internal
const Method norm_grad = {
    .name = "norm_grad",
    .summary = "Norm of a virtual 1x1 convolution's weight gradient",
    .formula = "|x| |g|",
    .source = "Rebuffi et al. 2020, arXiv:2004.02866, Table 2 (conv 1x1, norm)",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &NormGrad,
};

}  // namespace saliency::methods
