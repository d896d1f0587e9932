// The norm of each position's contribution to the gradient of a real batch
// norm's scale: g_out . xhat, where xhat is the normalised input, before scale
// and shift, with the running statistics that the model infers with.
//
// Source: the paper, sec. 3.1 and Table 1, row "scaling".

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor BatchNormScale(const MethodContext& context) {
  return ExtractAggregate(Extract::kScaling, Aggregate::kNorm, context.layer);
}

}  // namespace

extern const Method
    batch_norm_scale;  // declared first: a const is otherwise internal
const Method batch_norm_scale = {
    .name = "batch_norm_scale",
    .summary = "Norm of a real batch norm's scale gradient, by position",
    .formula = "|g_out xhat|",
    .source = "Rebuffi et al. 2020, arXiv:2004.02866, Table 1 (scaling)",
    .method_inputs = MethodInputs::kRealBatchNorm,
    .is_signed = false,
    .attribute = &BatchNormScale,
};

}  // namespace saliency::methods
