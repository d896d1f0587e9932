#include "core/model/rules/node_view.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

bool MayHoldTensors(const c10::Type& type) {
  const c10::TypeKind kind = type.kind();
  if (kind == c10::TypeKind::TensorType) return true;
  const auto contained = type.containedTypes();
  return std::any_of(contained.begin(), contained.end(),
                     [](const auto& inner) { return MayHoldTensors(*inner); });
}

// Of their argument the size alone counts, or no derivative.
bool ForgetsValues(const Node* node) {
  static const auto* const names = new std::unordered_set<std::string>{
      "aten::empty_like",       "aten::full_like", "aten::new_empty",
      "aten::new_full",         "aten::new_ones",  "aten::new_zeros",
      "aten::ones_like",        "aten::rand_like", "aten::randn_like",
      "aten::_shape_as_tensor", "aten::zeros_like"};
  return names->count(node->kind().toQualString()) != 0;
}

}  // namespace

ActivationFlow::ActivationFlow(const torch::jit::Graph& graph) {
  activations_.insert(graph.inputs().at(0));
  // Loops hand on to themselves, and writes to what was met before.
  while (Visit(graph.block())) {
  }
}

bool ActivationFlow::Add(const Value* value) {
  return MayHoldTensors(*value->type()) && activations_.insert(value).second;
}

bool ActivationFlow::Visit(const Block* block) {
  bool changed = false;
  for (const Node* node : block->nodes()) {
    bool from_image =
        std::any_of(node->inputs().begin(), node->inputs().end(),
                    [this](const Value* input) { return IsActivation(input); });
    for (const Block* inner : node->blocks()) {
      for (const Value* input : inner->inputs()) {
        changed |= from_image && Add(input);
      }
      changed |= Visit(inner);
    }
    for (const Block* inner : node->blocks()) {
      from_image |= std::any_of(
          inner->outputs().begin(), inner->outputs().end(),
          [this](const Value* output) { return IsActivation(output); });
    }
    if (!from_image || ForgetsValues(node)) continue;
    for (const Value* output : node->outputs()) changed |= Add(output);
    if (WritesFirstInput(node)) changed |= Add(node->input(0));
  }
  return changed;
}

NodeView::NodeView(const Node* node, const ActivationFlow& flow)
    : node_(node), name_(node->kind().toQualString()) {
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    if (flow.IsActivation(node->input(i))) activations_.push_back(i);
  }
  for (const Value* output : node->outputs()) {
    makes_activations_ |= flow.IsActivation(output);
  }
}

bool NodeView::IsOneOf(std::initializer_list<const char*> names) const {
  return std::any_of(names.begin(), names.end(),
                     [this](const char* name) { return name_ == name; });
}

bool NodeView::IsActivation(std::size_t argument) const {
  return std::count(activations_.begin(), activations_.end(), argument) != 0;
}

std::optional<c10::IValue> NodeView::Constant(const char* argument) const {
  const c10::FunctionSchema* schema = node_->maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const auto index = schema->argumentIndexWithName(argument);
  if (!index) return std::nullopt;
  const auto constant = torch::jit::toIValue(node_->input(*index));
  if (!constant) return std::nullopt;
  return *constant;
}

std::optional<double> NodeView::Number(const char* argument) const {
  const std::optional<c10::IValue> constant = Constant(argument);
  if (!constant || !constant->isScalar()) return std::nullopt;
  return constant->toScalar().toDouble();
}

}  // namespace saliency
