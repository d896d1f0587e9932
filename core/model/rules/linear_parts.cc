#include "core/model/rules/linear_parts.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

namespace saliency {

LinearMap::LinearMap(const RuledCall& call, const at::Tensor& x,
                     const torch::jit::Stack& arguments)
    : x_(x.detach()) {
  const at::AutoGradMode with_grad(true);
  x_.set_requires_grad(true);
  history_ = call.Run({x_}, arguments);
  y_ = history_.detach();
}

at::Tensor LinearMap::Back(const at::Tensor& s) const {
  return torch::autograd::grad({history_}, {x_}, {s}, /*retain_graph=*/true)[0];
}

torch::jit::Stack WithWeights(const RuledCall& call,
                              const WeightedArguments& at, WeightPart part) {
  torch::jit::Stack arguments = call.arguments;
  const at::Tensor weight = arguments[at.weight].toTensor();
  switch (part) {
    case WeightPart::kAll:
      break;
    case WeightPart::kPositive:
      arguments[at.weight] = weight.clamp_min(0);
      break;
    case WeightPart::kNegative:
      arguments[at.weight] = weight.clamp_max(0);
      break;
    case WeightPart::kNegatedPositive:
      arguments[at.weight] = weight.neg().clamp_min_(0);
      break;
  }
  if (!at.bias) return arguments;
  // addmm has to have one.
  arguments[*at.bias] = *at.bias == 0
                            ? c10::IValue(at::zeros({1}, weight.options()))
                            : c10::IValue();
  return arguments;
}

at::Tensor BiasOf(const RuledCall& call, const WeightedArguments& at) {
  if (!at.bias) return {};
  const c10::IValue& bias = call.arguments[*at.bias];
  if (!bias.isTensor() || !bias.toTensor().defined()) return {};
  const at::Tensor values = bias.toTensor();
  // Of a convolution it stands along the channels.
  if (!at.is_convolution) return values;
  const int64_t axes = call.output.dim();
  std::vector<int64_t> sizes(axes, 1);
  sizes[axes - call.arguments[at.weight].toTensor().dim() + 1] = -1;
  return values.view(sizes);
}

}  // namespace saliency
