// What stands for the derivative of an operator under a backward rule.
// Internal to the model room.  Rules are constant; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_OPERATOR_RULE_H_
#define SALIENCY_CORE_MODEL_RULES_OPERATOR_RULE_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/stack.h"

namespace saliency {

class OperatorRule;

// An operator of a graph whose derivative is replaced.
struct OperatorSite {
  torch::jit::Operation run;  // takes its arguments from a stack
  std::shared_ptr<const OperatorRule> rule;
  // Which of its arguments are activations that get a signal.
  std::vector<std::size_t> activations;
};

// One call of it, on its way back.
struct RuledCall {
  const OperatorSite& site;
  const torch::jit::Stack& arguments;  // nothing where the activations stand
  std::vector<at::Tensor> inputs;      // those activations
  at::Tensor output;
  // Inputs and output where the rule has a reference, of one image.
  std::vector<at::Tensor> reference_inputs;
  at::Tensor reference_output;

  // What the operator gives for other activations, and where `replaced` is not
  // empty for other arguments than its own; with gradients where those are on.
  at::Tensor Run(const std::vector<at::Tensor>& activations,
                 const torch::jit::Stack& replaced = {}) const;
};

class OperatorRule {
 public:
  virtual ~OperatorRule() = default;

  // The signal at each input, in the input's shape, for the one at the output.
  virtual std::vector<at::Tensor> Backward(const RuledCall& call,
                                           const at::Tensor& signal) const = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_OPERATOR_RULE_H_
