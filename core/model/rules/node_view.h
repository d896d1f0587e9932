// What a backward rule may know of an operator before it runs.
// Internal to the model room.  Pure functions of a graph; safe from any thread
// while nobody changes it.

#ifndef SALIENCY_CORE_MODEL_RULES_NODE_VIEW_H_
#define SALIENCY_CORE_MODEL_RULES_NODE_VIEW_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "ATen/core/ivalue.h"
#include "core/model/rules/operator_rule.h"

namespace torch::jit {
struct Block;
struct Graph;
struct Node;
struct Value;
}  // namespace torch::jit

namespace saliency {

// Which values of a graph hold tensors that are made of its image, the first
// input; what is made of weights and sizes alone is constant.
class ActivationFlow {
 public:
  explicit ActivationFlow(const torch::jit::Graph& graph);
  bool IsActivation(const torch::jit::Value* value) const {
    return activations_.count(value) != 0;
  }

 private:
  bool Visit(const torch::jit::Block* block);
  bool Add(const torch::jit::Value* value);

  std::unordered_set<const torch::jit::Value*> activations_;
};

class NodeView {
 public:
  NodeView(const torch::jit::Node* node, const ActivationFlow& flow);

  const torch::jit::Node* node() const { return node_; }
  const std::string& name() const { return name_; }  // "aten::conv2d"
  bool IsOneOf(std::initializer_list<const char*> names) const;
  // Whether this argument, by its number, is an activation.
  bool IsActivation(std::size_t argument) const;
  // The arguments that are.
  const std::vector<std::size_t>& activations() const { return activations_; }
  // Whether it gives any.
  bool MakesActivations() const { return makes_activations_; }
  // The value of the argument of this name in the operator's schema; nothing
  // when it has none or it is not constant.
  std::optional<c10::IValue> Constant(const char* argument) const;
  std::optional<double> Number(const char* argument) const;

 private:
  const torch::jit::Node* node_;
  std::string name_;
  std::vector<std::size_t> activations_;
  bool makes_activations_ = false;
};

// What becomes of an operator under a rule.
struct Treatment {
  enum class Kind {
    kPlain,    // its derivative
    kRuled,    // `rule`
    kRefused,  // the rule is not defined there
  };
  Kind kind = Kind::kPlain;
  std::shared_ptr<const OperatorRule> rule;
  std::vector<std::size_t> activations;  // OperatorSite::activations
  std::string why;  // kRefused, after the operator's name: "which is ..."

  static Treatment Plain() { return {}; }
  static Treatment Ruled(std::shared_ptr<const OperatorRule> rule,
                         std::vector<std::size_t> activations) {
    return {.kind = Kind::kRuled,
            .rule = std::move(rule),
            .activations = std::move(activations)};
  }
  static Treatment Refused(std::string why) {
    return {.kind = Kind::kRefused, .why = std::move(why)};
  }
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_NODE_VIEW_H_
