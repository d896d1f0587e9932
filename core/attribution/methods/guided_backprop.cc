// Guided backpropagation: the gradient, but that a ReLU passes back the
// positive part alone of what comes.
//
// Source: Springenberg, Dosovitskiy, Brox, Riedmiller 2015, arXiv:1412.6806,
// sec. 3.4.  Max of absolute values over channels.

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor GuidedBackprop(const MethodContext& context) {
  return ExtractAggregate(Extract::kBias, Aggregate::kMaxAbs, context.layer);
}

}  // namespace

extern const Method
    guided_backprop;  // declared first: a const is otherwise internal
const Method guided_backprop = {
    .name = "guided_backprop",
    .summary = "Largest absolute signal of guided backpropagation",
    .formula = "max_k |p_k|; at a ReLU p becomes (p)+ where its input is >= 0",
    .source = "Springenberg et al. 2015, arXiv:1412.6806, sec. 3.4",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &GuidedBackprop,
    .aliases = "guidedbackpropagation guided guidedgradient",
    .rule = {.kind = BackwardRule::Kind::kGuidedBackprop},
};

}  // namespace saliency::methods
