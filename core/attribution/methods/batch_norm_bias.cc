// The norm of each position's contribution to the gradient of a real batch
// norm's bias, which is the gradient at its output.
//
// Source: the paper, sec. 3.1 and Table 1, row "bias".

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor BatchNormBias(const MethodContext& context) {
  return ExtractAggregate(Extract::kBias, Aggregate::kNorm, context.layer);
}

}  // namespace

extern const Method
    batch_norm_bias;  // declared first: a const is otherwise internal
const Method batch_norm_bias = {
    .name = "batch_norm_bias",
    .summary = "Norm of a real batch norm's bias gradient, by position",
    .formula = "|g_out|",
    .source = "Rebuffi et al. 2020, arXiv:2004.02866, Table 1 (bias)",
    .method_inputs = MethodInputs::kRealBatchNorm,
    .is_signed = false,
    .attribute = &BatchNormBias,
};

}  // namespace saliency::methods
