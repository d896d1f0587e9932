// NormGrad with a virtual 3x3 convolution: the activation counts with its
// neighbourhood.  Zero padded.
//
// Source: the paper, sec. 3.1.2, eq. 2 and Table 2, row "conv 3x3".

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor NormGradConv3x3(const MethodContext& context) {
  return ExtractAggregate(Extract::kConv3x3, Aggregate::kNorm, context.layer);
}

}  // namespace

extern const Method
    norm_grad_conv3x3;  // declared first: a const is otherwise internal
const Method norm_grad_conv3x3 = {
    .name = "norm_grad_conv3x3",
    .summary = "Norm of a virtual 3x3 convolution's weight gradient",
    .formula = "|x_3x3| |g|",
    .source = "Rebuffi et al. 2020, arXiv:2004.02866, Table 2 (conv 3x3, norm)",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &NormGradConv3x3,
};

}  // namespace saliency::methods
