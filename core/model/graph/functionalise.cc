#include "core/model/graph/functionalise.h"

#include <torch/script.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/model/graph/node_kind.h"
#include "core/model/probe_ops.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// A tensor, or anything that can hold one.
bool HoldsTensors(const c10::Type& type) {
  const c10::TypeKind kind = type.kind();
  if (kind == c10::TypeKind::TensorType || kind == c10::TypeKind::AnyType ||
      kind == c10::TypeKind::ClassType) {
    return true;
  }
  for (const auto& contained : type.containedTypes()) {
    if (HoldsTensors(*contained)) return true;
  }
  return false;
}

// The tensors that the node writes to.
std::vector<Value*> WrittenBy(Node* node) {
  std::vector<Value*> written;
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return written;
  for (size_t i = 0; i < schema->arguments().size(); ++i) {
    const auto* alias = schema->arguments()[i].alias_info();
    if (alias != nullptr && alias->isWrite() && i < node->inputs().size() &&
        node->inputs()[i]->type()->isSubtypeOf(*c10::TensorType::get())) {
      written.push_back(node->inputs()[i]);
    }
  }
  return written;
}

bool WritesTensor(Node* node) { return !WrittenBy(node).empty(); }

bool IsDropout(const Node* node) {
  const std::string name = node->kind().toQualString();
  return name == "aten::dropout" || name == "aten::feature_dropout" ||
         name == "aten::alpha_dropout" || name == "aten::feature_alpha_dropout";
}

// dropout(x, p, train=False) returns x.
bool IsInactiveDropout(const Node* node) {
  if (!IsDropout(node)) return false;
  const auto train = torch::jit::toIValue(node->inputs().at(2));
  return train && train->isBool() && !train->toBool();
}

// Outputs that are their first input, not merely a view of it.
bool ReturnsItsInput(Node* node) {
  return IsMark(node) || IsInactiveDropout(node) ||
         (WritesTensor(node) && node->outputs().size() == 1);
}

// True when some output may be (a view of) some input, or hold it.
bool OutputsMayAliasInputs(const Node* node) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return node->kind() != c10::prim::Constant;
  if (node->kind().is_prim()) return true;  // containers, unpacking, control
  for (const c10::Argument& argument : schema->arguments()) {
    if (argument.alias_info() != nullptr) return true;
  }
  // Shares storage without saying so in its schema.
  const std::string name = node->kind().toQualString();
  return name == "aten::contiguous" || name == "aten::to" ||
         name == "aten::reshape" || name == "aten::flatten" ||
         name == "aten::type_as" || IsDropout(node);
}

// Which values may share memory (a union-find that ignores order: too coarse is
// safe), and which are one and the same tensor.
class Aliases {
 public:
  // By what runs before `end`, which is in no loop: a list that is made of two
  // tensors later on does not join them yet.  Null: by the whole graph.
  explicit Aliases(Block* block, const Node* end = nullptr) : end_(end) {
    Visit(block);
  }

  Value* Class(Value* value) {
    Value* parent = Parent(share_, value);
    if (parent == value) return value;
    return share_[value] = Class(parent);
  }
  Value* Identity(Value* value) const {
    const auto it = same_.find(value);
    return it == same_.end() ? value : Identity(it->second);
  }
  const std::vector<Value*>& values() const { return values_; }

  void Unite(Value* a, Value* b) { share_[Class(a)] = Class(b); }

 private:
  static Value* Parent(const std::unordered_map<Value*, Value*>& links,
                       Value* value) {
    const auto it = links.find(value);
    return it == links.end() ? value : it->second;
  }

  void Visit(Block* block) {
    for (Value* input : block->inputs()) values_.push_back(input);
    for (Node* node : block->nodes()) {
      for (Value* output : node->outputs()) values_.push_back(output);
      if (ReturnsItsInput(node)) same_[node->output()] = node->input(0);
      const bool counts = end_ == nullptr || node->isBefore(end_);
      if (counts && OutputsMayAliasInputs(node)) UniteAll(node);
      for (Block* inner : node->blocks()) {
        Visit(inner);
        if (counts) UniteAcross(node, inner);
      }
    }
  }

  void UniteAll(Node* node) {
    Value* first = nullptr;
    const auto unite = [&](Value* value) {
      if (!HoldsTensors(*value->type())) return;
      if (first == nullptr) first = value;
      Unite(value, first);
    };
    for (Value* input : node->inputs()) unite(input);
    for (Value* output : node->outputs()) unite(output);
  }

  // If and Loop hand tensors in and out of their blocks.
  void UniteAcross(Node* node, Block* inner) {
    Value* first = nullptr;
    const auto unite = [&](Value* value) {
      if (!HoldsTensors(*value->type())) return;
      if (first == nullptr) first = value;
      Unite(value, first);
    };
    for (Value* input : inner->inputs()) unite(input);
    for (Value* output : inner->outputs()) unite(output);
    for (Value* input : node->inputs()) unite(input);
    for (Value* output : node->outputs()) unite(output);
  }

  const Node* const end_;
  std::unordered_map<Value*, Value*> share_;
  std::unordered_map<Value*, Value*> same_;
  std::vector<Value*> values_;
};

bool UsedAfter(const Value* value, const Node* node) {
  for (const torch::jit::Use& use : value->uses()) {
    if (use.user != node && use.user->isAfter(node)) return true;
  }
  return false;
}

// The values from before the write that are x under another name, or nothing
// when the write would be seen through something else.
std::vector<Value*> Renamable(Aliases& aliases, Value* x, const Node* write) {
  std::vector<Value*> same;
  Value* const share = aliases.Class(x);
  Value* const identity = aliases.Identity(x);
  for (Value* value : aliases.values()) {
    // What comes after the write is made from its result.
    const bool is_older = value->node()->kind() == c10::prim::Param ||
                          value->node()->isBefore(write);
    if (!is_older || aliases.Class(value) != share) continue;
    const bool is_same = aliases.Identity(value) == identity;
    const bool is_local = value->node()->owningBlock() == write->owningBlock();
    if (is_same && is_local) {
      same.push_back(value);
    } else if (UsedAfter(value, write)) {
      return {};
    }
  }
  return same;
}

// y = f(x, ...) for y = f_(x, ...), inserted before it; null when there is no
// such operator, or, as of LibTorch 2's copy, no derivative.
Node* FunctionalVariant(Graph& graph, Node* node) {
  std::string name = node->kind().toQualString();
  if (name.size() < 2 || name.back() != '_' ||
      name.compare(0, 6, "aten::") != 0)
    return nullptr;
  name.pop_back();
  if (name == "aten::copy") return nullptr;
  Node* functional =
      graph.create(c10::Symbol::fromQualString(name), node->inputs(), 1);
  functional->insertBefore(node);
  if (functional->maybeSchema() == nullptr) {
    functional->destroy();
    return nullptr;
  }
  functional->output()->setType(c10::TensorType::get());
  functional->setSourceRange(node->sourceRange());
  return functional;
}

// The write's result is the tensor that its mark names: whoever got it as the
// overwritten tensor gets it through the marks on it, too.
void UseThroughMarks(Value* value) {
  Node* first = nullptr;
  for (const torch::jit::Use& use : value->uses()) {
    const bool is_mark = IsMark(use.user) && use.user->owningBlock() ==
                                                 value->node()->owningBlock();
    if (is_mark && (first == nullptr || use.user->isBefore(first))) {
      first = use.user;
    }
  }
  if (first == nullptr) return;
  value->replaceAllUsesAfterNodeWith(first, first->output());
  UseThroughMarks(first->output());
}

// An outer value, or one carried round a loop, may be seen by the next round.
bool InsideLoop(const Node* node) {
  for (const Block* block = node->owningBlock(); block != nullptr;) {
    const Node* owner = block->owningNode();
    if (owner == nullptr) return false;
    if (owner->kind() == c10::prim::Loop) return true;
    block = owner->owningBlock();
  }
  return false;
}

bool MakeFunctional(Graph& graph, Node* node) {
  if (node->outputs().size() != 1 || InsideLoop(node)) return false;
  // Made anew for each write: the last rewrite changed who aliases whom.
  Aliases aliases(graph.block(), node);
  const std::vector<Value*> same = Renamable(aliases, node->input(0), node);
  if (same.empty()) return false;
  Node* functional = FunctionalVariant(graph, node);
  if (functional == nullptr) return false;
  Value* result = functional->output();
  for (Value* value : same) value->replaceAllUsesAfterNodeWith(node, result);
  node->output()->replaceAllUsesWith(result);
  node->destroy();
  UseThroughMarks(result);
  return true;
}

bool FunctionaliseBlock(Graph& graph, Block* block) {
  bool left = false;
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) {
      left |= FunctionaliseBlock(graph, inner);
    }
    if (!WritesTensor(node)) continue;
    if (!MakeFunctional(graph, node)) left = true;
  }
  return left;
}

void FindWrites(Block* block, Aliases& aliases,
                std::unordered_set<Value*>& written) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) FindWrites(inner, aliases, written);
    for (Value* value : WrittenBy(node)) written.insert(aliases.Class(value));
  }
}

bool IsContainer(const c10::Type& type) {
  const c10::TypeKind kind = type.kind();
  if (kind == c10::TypeKind::ListType || kind == c10::TypeKind::DictType) {
    return true;
  }
  // Not those within objects, whose attributes cannot be set either.
  return kind != c10::TypeKind::ClassType &&
         std::any_of(type.containedTypes().begin(), type.containedTypes().end(),
                     [](const auto& inner) { return IsContainer(*inner); });
}

bool WritesContainer(const Block* block) {
  for (const Node* node : block->nodes()) {
    for (const Block* inner : node->blocks()) {
      if (WritesContainer(inner)) return true;
    }
    if (WritesFirstInput(node) && IsContainer(*node->input(0)->type())) {
      return true;
    }
  }
  return false;
}

// Takes numbers or tensors out of the container and keeps no hold of it.
bool OnlyReads(const torch::jit::Use& use) {
  const Node* node = use.user;
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr || !node->kind().is_aten()) return false;
  if (use.offset >= schema->arguments().size()) return false;
  const auto* alias = schema->arguments()[use.offset].alias_info();
  if (alias != nullptr && alias->isWrite()) return false;
  return std::none_of(
      node->outputs().begin(), node->outputs().end(),
      [](const Value* output) { return IsContainer(*output->type()); });
}

// Where in a normalisation's inputs the running statistics are that it moves,
// as its schema does not tell; empty: it moves none.
std::vector<size_t> MovedStatistics(const Node* node) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return {};
  for (const char* flag : {"training", "train", "use_input_stats"}) {
    const auto at = schema->argumentIndexWithName(flag);
    const auto mean = schema->argumentIndexWithName("running_mean");
    const auto variance = schema->argumentIndexWithName("running_var");
    if (!at || !mean || !variance) continue;
    const auto moves = torch::jit::toIValue(node->input(*at));
    if (!moves || !moves->isBool() || !moves->toBool()) continue;
    return {static_cast<size_t>(*mean), static_cast<size_t>(*variance)};
  }
  return {};
}

void ForgetStatistics(Graph& graph, Block* block) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) ForgetStatistics(graph, inner);
    for (const size_t input : MovedStatistics(node)) {
      torch::jit::WithInsertPoint guard(node);
      node->replaceInput(input, graph.insertConstant(c10::IValue()));
    }
  }
}

}  // namespace

void ForgetRunningStatistics(Graph& graph) {
  ForgetStatistics(graph, graph.block());
}

bool FunctionaliseInPlaceOps(Graph& graph) {
  return FunctionaliseBlock(graph, graph.block());
}

bool WritesContainers(const Graph& graph) {
  return WritesContainer(graph.block());
}

bool IsChangedContainer(const Value* value) {
  if (!IsContainer(*value->type())) return false;
  return std::any_of(
      value->uses().begin(), value->uses().end(),
      [](const torch::jit::Use& use) { return !OnlyReads(use); });
}

std::vector<bool> WrittenInputs(Graph& graph) {
  Aliases aliases(graph.block());
  std::unordered_set<Value*> classes;
  FindWrites(graph.block(), aliases, classes);
  const bool any_container = WritesContainers(graph);
  std::vector<bool> written;
  for (Value* input : graph.inputs()) {
    written.push_back(classes.count(aliases.Class(input)) != 0 ||
                      (any_container && IsContainer(*input->type())));
  }
  return written;
}

}  // namespace saliency
