// The gradient summed over the channels: the bias extract with the sum
// aggregate.  Signed.
//
// Source: the paper, sec. 3.1, Table 2, row "bias".

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor GradientSum(const MethodContext& context) {
  return ExtractAggregate(Extract::kBias, Aggregate::kSum, context.layer);
}

}  // namespace

extern const Method
    gradient_sum;  // declared first: a const is otherwise internal
const Method gradient_sum = {
    .name = "gradient_sum",
    .summary = "Gradient summed over the channels",
    .formula = "sum_k g_k",
    .source = "Rebuffi et al. 2020, arXiv:2004.02866, Table 2 (bias, sum)",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = true,
    .attribute = &GradientSum,
};

}  // namespace saliency::methods
