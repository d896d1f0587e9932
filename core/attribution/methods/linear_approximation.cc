// Linear approximation (gradient times input, at any layer): each position's
// share of the score in the first-order expansion around zero activation.
// Signed: there is no ReLU, unlike in Grad-CAM.
//
// Source: the paper, sec. 3.1.2 and Table 2, row "scaling", sum; Kindermans et
// al. 2016, arXiv:1611.07270, for the input.

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor LinearApproximation(const MethodContext& context) {
  return ExtractAggregate(Extract::kScaling, Aggregate::kSum, context.layer);
}

}  // namespace

extern const Method
    linear_approximation;  // declared first: a const is otherwise internal
const Method linear_approximation = {
    .name = "linear_approximation",
    .summary = "Activation times gradient, summed over the channels",
    .formula = "sum_k g_k x_k",
    .source =
        "Kindermans et al. 2016, arXiv:1611.07270; Rebuffi et al. 2020, "
        "arXiv:2004.02866, Table 2 (scaling, sum)",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = true,
    .attribute = &LinearApproximation,
    .aliases =
        "linearapprox inputxgradient inputxgrad gradientxinput "
        "gradxinput inputtimesgradient gradienttimesinput "
        "gradientxactivation gradxactivation layergradientxactivation",
};

}  // namespace saliency::methods
