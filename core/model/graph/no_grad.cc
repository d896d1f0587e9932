#include "core/model/graph/no_grad.h"

#include <torch/script.h>

#include <vector>

#include "core/base/status.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

bool MayHoldTensor(const c10::Type& type) {
  if (type.kind() == c10::TypeKind::AnyType) return true;
  if (type.isSubtypeOf(*c10::TensorType::get())) return true;
  for (const auto& contained : type.containedTypes()) {
    if (MayHoldTensor(*contained)) return true;
  }
  return false;
}

bool IsUsedAfter(const Value* value, const Node* node) {
  for (const torch::jit::Use& use : value->uses()) {
    if (use.user->isAfter(node)) return true;
  }
  return false;
}

Node* FindExit(Node* enter) {
  const Block* block = enter->owningBlock();
  for (Node* node = enter->next(); node != block->return_node();
       node = node->next()) {
    const bool is_exit = node->kind() == c10::prim::Exit;
    if (is_exit && node->input(0) == enter->input(0)) return node;
  }
  return nullptr;
}

absl::Status DetachResults(Graph& graph, Node* enter, Node* exit) {
  torch::jit::WithInsertPoint guard(exit->next());
  for (Node* node = enter->next(); node != exit; node = node->next()) {
    for (Value* value : node->outputs()) {
      if (!MayHoldTensor(*value->type()) || !IsUsedAfter(value, exit)) continue;
      if (!value->type()->isSubtypeOf(*c10::TensorType::get())) {
        return absl::InvalidArgumentError(
            "the model's torch.no_grad() block hands on a list, tuple or dict; "
            "only single tensors can be followed");
      }
      Node* detach = graph.insertNode(graph.create(c10::aten::detach, {value}));
      detach->output()->setType(c10::TensorType::get());
      value->replaceAllUsesAfterNodeWith(detach, detach->output());
    }
  }
  return absl::OkStatus();
}

absl::Status ReplaceIn(Graph& graph, Block* block) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) {
      RETURN_IF_ERROR(ReplaceIn(graph, inner));
    }
    if (node->kind() != c10::prim::Enter ||
        !IsNoGrad(*node->input(0)->type())) {
      continue;
    }
    Node* exit = FindExit(node);
    if (exit == nullptr) {
      return absl::InvalidArgumentError(
          "the model's torch.no_grad() block cannot be followed to its end");
    }
    RETURN_IF_ERROR(DetachResults(graph, node, exit));
    Value* object = node->input(0);
    std::vector<Node*> users;
    for (const torch::jit::Use& use : object->uses()) users.push_back(use.user);
    it = ++torch::jit::graph_node_list_iterator(node->prev()->iterator());
    for (Node* user : users) {
      if (*it == user) ++it;
      user->destroy();
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsNoGrad(const c10::Type& type) {
  if (type.kind() != c10::TypeKind::ClassType) return false;
  const auto& name = type.castRaw<c10::ClassType>()->name();
  return name &&
         (name->name() == "no_grad" || name->name() == "inference_mode");
}

absl::Status ReplaceNoGrad(Graph& graph) {
  return ReplaceIn(graph, graph.block());
}

}  // namespace saliency
