#include "core/model/rules/ruled_op.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/script.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using torch::jit::Stack;

// What a call needs on its way back besides tensors that autograd keeps.
struct CallMemory : torch::CustomClassHolder {
  CallMemory(std::shared_ptr<const RuleTable> table, const OperatorSite& at,
             Stack with, RuledRun::Reference at_reference)
      : sites(std::move(table)),
        site(at),
        arguments(std::move(with)),
        reference(std::move(at_reference)) {}

  const std::shared_ptr<const RuleTable> sites;  // owns `site`
  const OperatorSite& site;
  const Stack arguments;  // nothing where activations stand
  const RuledRun::Reference reference;
};

Stack WithActivations(Stack arguments, const OperatorSite& site,
                      at::TensorList activations) {
  for (std::size_t i = 0; i < activations.size(); ++i) {
    arguments[site.activations[i]] = activations[i];
  }
  return arguments;
}

at::Tensor RunOn(const OperatorSite& site, Stack arguments) {
  torch::jit::Operation run = site.run;
  run(arguments);
  return torch::jit::pop(arguments).toTensor();
}

class RuledFunction : public torch::autograd::Function<RuledFunction> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const c10::intrusive_ptr<CallMemory>& memory,
                            at::TensorList activations) {
    const at::Tensor output =
        RunOn(memory->site,
              WithActivations(memory->arguments, memory->site, activations));
    variable_list kept = activations.vec();
    kept.push_back(output);
    context->save_for_backward(std::move(kept));
    context->saved_data["memory"] = c10::IValue::make_capsule(memory);
    return output;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& signals) {
    const auto memory = c10::static_intrusive_pointer_cast<CallMemory>(
        context->saved_data["memory"].toCapsule());
    variable_list inputs = context->get_saved_variables();
    for (at::Tensor& tensor : inputs) tensor = tensor.detach();
    at::Tensor output = std::move(inputs.back());
    inputs.pop_back();
    const RuledCall call = {.site = memory->site,
                            .arguments = memory->arguments,
                            .inputs = std::move(inputs),
                            .output = std::move(output),
                            .reference_inputs = memory->reference.inputs,
                            .reference_output = memory->reference.output};
    const at::NoGradGuard no_grad;
    variable_list at_inputs = memory->site.rule->Backward(call, signals[0]);
    at_inputs.insert(at_inputs.begin(), at::Tensor());  // of `memory`
    return at_inputs;
  }
};

void RunRuled(Stack& stack) {
  const auto count = static_cast<std::size_t>(torch::jit::pop(stack).toInt());
  const auto inputs = torch::jit::last(stack, count);
  const auto run =
      c10::static_intrusive_pointer_cast<RuledRun>(inputs[0].toCapsule());
  const OperatorSite& site = run->sites->at(inputs[1].toInt());
  Stack arguments(inputs.begin() + 2, inputs.end());
  torch::jit::drop(stack, count);
  std::vector<at::Tensor> activations;
  for (const std::size_t at : site.activations) {
    activations.push_back(arguments[at].toTensor());
    arguments[at] = c10::IValue();
  }
  if (run->mode == RuledRun::Mode::kNoteReference) {
    const at::Tensor output =
        RunOn(site, WithActivations(std::move(arguments), site, activations));
    run->references.push_back({std::move(activations), output});
    torch::jit::push(stack, output);
    return;
  }
  RuledRun::Reference reference;
  if (!run->references.empty()) reference = run->references.at(run->next++);
  const auto memory = c10::make_intrusive<CallMemory>(
      run->sites, site, std::move(arguments), std::move(reference));
  torch::jit::push(stack,
                   RuledFunction::apply(memory, at::TensorList(activations)));
}

}  // namespace

at::Tensor RuledCall::Run(const std::vector<at::Tensor>& activations,
                          const Stack& replaced) const {
  return RunOn(site, WithActivations(replaced.empty() ? arguments : replaced,
                                     site, activations));
}

void RegisterRuledOp() {
  static const bool registered = [] {
    torch::jit::registerOperator(torch::jit::Operator(
        absl::StrCat(kRuledOp, "(Any run, int site, ...) -> Tensor"), &RunRuled,
        c10::AliasAnalysisKind::CONSERVATIVE));
    return true;
  }();
  static_cast<void>(registered);
}

}  // namespace saliency
