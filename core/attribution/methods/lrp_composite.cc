// Layer-wise relevance propagation by a rule for each kind of layer: z^B where
// a convolution takes the image, gamma in the other convolutions, epsilon in
// linear layers.
//
// Source: Montavon, Binder, Lapuschkin, Samek, Mueller 2019, LRP: An Overview,
// sec. 10.3 and Table 10.1.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor LrpComposite(const MethodContext& context) {
  return ReduceProduct(Reduction::kSum, context.layer.activation,
                       context.layer.gradient);
}

}  // namespace

extern const Method
    lrp_composite;  // declared first: a const is otherwise internal
const Method lrp_composite = {
    .name = "lrp_composite",
    .summary =
        "Relevance by z^B at pixels, gamma in convolutions, epsilon in linear "
        "layers",
    .formula = "sum_k R_k",
    .source = "Montavon et al. 2019, LRP: An Overview, sec. 10.3",
    .method_inputs = MethodInputs::kRelevance,
    .is_signed = true,
    .attribute = &LrpComposite,
    .aliases = "lrpcmp compositelrp",
    .rule = {.kind = BackwardRule::Kind::kLrpComposite},
};

}  // namespace saliency::methods
