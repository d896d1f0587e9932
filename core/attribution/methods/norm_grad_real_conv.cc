// NormGrad without a virtual identity: the norm of each position's contribution
// to the weight gradient of the convolution that the model really has, on the
// convolution's output grid.
//
// Source: the paper, sec. 3.1, eq. 2, and Table 2, last row; compared with
// norm_grad in sec. 4.1 and Table 4.

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor NormGradRealConv(const MethodContext& context) {
  return RealConvNorm(*context.conv);
}

}  // namespace

extern const Method
    norm_grad_real_conv;  // declared first: a const is otherwise internal
const Method norm_grad_real_conv = {
    .name = "norm_grad_real_conv",
    .summary = "Norm of a real convolution's weight gradient, by position",
    .formula = "|g_out,u| |unfold(x_in)_u|, by group",
    .source = "Rebuffi et al. 2020, arXiv:2004.02866, Table 2 (last row)",
    .method_inputs = MethodInputs::kRealConv,
    .is_signed = false,
    .attribute = &NormGradRealConv,
};

}  // namespace saliency::methods
