// Deconvnet: the gradient, but that a ReLU passes back the positive part of
// what comes, whatever went forward through it.
//
// Source: Zeiler and Fergus 2014, arXiv:1311.2901, sec. 2.1, as Simonyan et al.
// 2014, arXiv:1312.6034, sec. 4 put it.  Max of absolute values over channels.

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor Deconvnet(const MethodContext& context) {
  return ExtractAggregate(Extract::kBias, Aggregate::kMaxAbs, context.layer);
}

}  // namespace

extern const Method deconvnet;  // declared first: a const is otherwise internal
const Method deconvnet = {
    .name = "deconvnet",
    .summary = "Largest absolute signal of a deconvolutional network",
    .formula = "max_k |p_k|; at a ReLU p becomes (p)+",
    .source = "Zeiler and Fergus 2014, arXiv:1311.2901, sec. 2.1",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = false,
    .attribute = &Deconvnet,
    .aliases = "deconv deconvolution deconvolutionalnetwork",
    .rule = {.kind = BackwardRule::Kind::kDeconvnet},
};

}  // namespace saliency::methods
