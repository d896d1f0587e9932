#include "core/model/probe_ops.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/script.h>

#include "absl/time/clock.h"
#include "core/model/device.h"

namespace saliency {
namespace {

using torch::jit::Operator;
using torch::jit::Stack;

ProbeRecorder& PopRecorder(Stack& stack) {
  return *c10::static_intrusive_pointer_cast<ProbeRecorder>(
      torch::jit::pop(stack).toCapsule());
}

// Where the tensor already depends on an earlier probe, an alias of its own
// makes sure that only what lies behind this probe counts for its gradient.
// Whole and quantised numbers have no gradient.
at::Tensor GradientStart(const at::Tensor& x, bool copy_values) {
  at::Tensor start;
  if (!x.is_floating_point()) return copy_values ? x.clone() : x;
  if (x.requires_grad()) {
    start = copy_values ? x.clone() : x.view_as(x);
  } else {
    start = copy_values ? x.detach().clone() : x.detach();
    start.set_requires_grad(true);
  }
  return start;
}

at::Tensor RecordValue(const at::Tensor& x, bool copy_values,
                       ProbeRecorder::Slot& slot) {
  // In a loop: a layer's name means its first call.
  if (slot.passed) return x;
  slot.passed = true;
  slot.sizes = x.sizes().vec();
  slot.holds_whole_numbers =
      at::isIntegralType(x.scalar_type(), /*includeBool=*/true);
  if (slot.mode == ProbeRecorder::Mode::kDigest) {
    slot.digest = DigestOfEntries(x);
    return x;
  }
  if (slot.mode == ProbeRecorder::Mode::kActivation) {
    slot.value = copy_values ? x.detach().clone() : x.detach();
    return x;
  }
  slot.value = GradientStart(x, copy_values);
  // An in-place op that is left in the graph must meet neither the leaf nor the
  // recorded value.
  return copy_values ? slot.value.clone() : slot.value;
}

void VirtualIdentity(Stack& stack) {
  const int64_t slot = torch::jit::pop(stack).toInt();
  ProbeRecorder& recorder = PopRecorder(stack);
  const at::Tensor x = torch::jit::pop(stack).toTensor();
  torch::jit::push(
      stack, RecordValue(x, recorder.copy_values, recorder.slots.at(slot)));
}

void RunExpandRows(Stack& stack) {
  ProbeRecorder& recorder = PopRecorder(stack);
  at::Tensor x = torch::jit::pop(stack).toTensor();
  recorder.expanded_at = TimeWhenDone(x.device());
  if (recorder.row_image.defined()) {
    x = x.index_select(0, recorder.row_image);
  }
  torch::jit::push(stack, x);
}

// A hook, and no tensor of its own: what overwrites the tensor may go on.
void RunOrderGradient(Stack& stack) {
  const at::Tensor& x = torch::jit::peek(stack, 0, 1).toTensor();
  if (!x.requires_grad() || !x.is_non_overlapping_and_dense()) return;
  x.register_hook([strides = x.strides().vec()](const at::Tensor& gradient) {
    if (!gradient.defined() || gradient.strides() == strides) return gradient;
    return at::empty_strided(gradient.sizes(), strides, gradient.options())
        .copy_(gradient);
  });
}

// Marks are taken out before a graph runs; to be safe it is the identity.
void RunMark(Stack& stack) { torch::jit::drop(stack, 1); }

}  // namespace

at::Tensor DigestOfEntries(const at::Tensor& tensor) {
  if (tensor.dim() == 0 || tensor.layout() != at::kStrided) return {};
  const at::Tensor plain = tensor.is_complex() ? tensor.abs() : tensor;
  const at::Tensor flat = (plain.is_quantized() ? plain.dequantize() : plain)
                              .detach()
                              .to(at::kFloat)
                              .reshape({tensor.size(0), -1});
  const at::Tensor weights =
      at::arange(flat.size(1), flat.options()).remainder(31).add(1).div(31);
  return at::stack({flat.sum(1), flat.abs().sum(1), flat.mv(weights)}, 1);
}

void RegisterProbeOps() {
  static const bool registered = [] {
    torch::jit::registerOperator(
        Operator("saliency::mark(Tensor(a) x, int id) -> Tensor(a)", &RunMark,
                 c10::AliasAnalysisKind::FROM_SCHEMA));
    torch::jit::registerOperator(
        Operator("saliency::virtual_identity(Tensor x, Any recorder, int slot) "
                 "-> Tensor",
                 &VirtualIdentity, c10::AliasAnalysisKind::CONSERVATIVE));
    torch::jit::registerOperator(
        Operator("saliency::order_gradient(Tensor(a) x) -> Tensor(a)",
                 &RunOrderGradient, c10::AliasAnalysisKind::CONSERVATIVE));
    torch::jit::registerOperator(
        Operator("saliency::expand_rows(Tensor x, Any recorder) -> Tensor",
                 &RunExpandRows, c10::AliasAnalysisKind::CONSERVATIVE));
    return true;
  }();
  static_cast<void>(registered);
}

}  // namespace saliency
