#include "core/model/rules/gates.h"

#include <torch/csrc/jit/ir/ir.h>

#include "core/model/rules/operator_family.h"

namespace saliency {
namespace {

using torch::jit::Node;
using torch::jit::Value;

// Hands on what one activation holds, in another shape.
bool OnlyMoves(const NodeView& node) {
  return FamilyOf(node) == OperatorFamily::kMoves &&
         node.activations().size() == 1 && node.node()->blocks().empty();
}

bool ComesOfSigmoid(const Value* value, const ActivationFlow& flow) {
  while (true) {
    const NodeView node(value->node(), flow);
    if (node.IsOneOf({"aten::sigmoid", "aten::hardsigmoid"})) {
      return node.activations().size() == 1;
    }
    if (!OnlyMoves(node)) return false;
    value = value->node()->input(node.activations()[0]);
  }
}

bool GatesWhatTakes(const Value* value, const ActivationFlow& flow) {
  for (const torch::jit::Use& use : value->uses()) {
    const NodeView user(use.user, flow);
    if (OnlyMoves(user) && user.MakesActivations()) {
      for (const Value* output : use.user->outputs()) {
        if (!GatesWhatTakes(output, flow)) return false;
      }
      continue;
    }
    const bool is_product = FamilyOf(user) == OperatorFamily::kMultiplies;
    if (!is_product || GateFactor(user, flow) != use.offset) return false;
  }
  return true;
}

}  // namespace

std::optional<std::size_t> GateFactor(const NodeView& product,
                                      const ActivationFlow& flow) {
  const bool first = ComesOfSigmoid(product.node()->input(0), flow);
  const bool second = ComesOfSigmoid(product.node()->input(1), flow);
  if (first == second) return std::nullopt;
  return first ? 0 : 1;
}

bool IsGateAlone(const NodeView& sigmoid, const ActivationFlow& flow) {
  return sigmoid.node()->outputs().size() == 1 &&
         ComesOfSigmoid(sigmoid.node()->output(), flow) &&
         GatesWhatTakes(sigmoid.node()->output(), flow);
}

}  // namespace saliency
