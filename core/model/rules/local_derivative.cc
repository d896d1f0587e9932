#include "core/model/rules/local_derivative.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

namespace saliency {
namespace {

std::vector<at::Tensor> DerivativeAt(const RuledCall& call,
                                     const std::vector<at::Tensor>& activations,
                                     const at::Tensor& signal) {
  const at::AutoGradMode with_grad(true);
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& activation : activations) {
    leaves.push_back(activation.detach());
    leaves.back().set_requires_grad(true);
  }
  const at::Tensor y = call.Run(leaves);
  // gelu_backward of LibTorch 1.13 wants its gradient in y's memory order.
  const at::Tensor ordered =
      y.is_non_overlapping_and_dense()
          ? at::empty_strided(y.sizes(), y.strides(), y.options()).copy_(signal)
          : signal;
  return torch::autograd::grad({y}, leaves, {ordered});
}

}  // namespace

at::Tensor LocalDerivative(const RuledCall& call, const at::Tensor& signal) {
  return DerivativeAt(call, call.inputs, signal)[0];
}

std::vector<at::Tensor> ProductDerivative(
    const RuledCall& call, const std::vector<at::Tensor>& factors,
    const at::Tensor& signal) {
  return DerivativeAt(call, factors, signal);
}

}  // namespace saliency
