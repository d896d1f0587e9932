#include "core/model/graph/marked_graph.h"

#include <torch/csrc/jit/passes/constant_pooling.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/lower_tuples.h>
#include <torch/csrc/jit/passes/peephole.h>
#include <torch/script.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/model/graph/decompose_attention.h"
#include "core/model/graph/functionalise.h"
#include "core/model/graph/graph_facts.h"
#include "core/model/graph/nested_tensors.h"
#include "core/model/graph/no_grad.h"
#include "core/model/graph/node_kind.h"
#include "core/model/graph/unroll_loops.h"
#include "core/model/probe_ops.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// The dotted path of a module-typed value, "" for the root; nullopt when it
// does not come straight from the root by attributes.
std::optional<std::string> ModulePath(const Value* value, const Value* root) {
  if (value == root) return "";
  const Node* node = value->node();
  if (node->kind() != c10::prim::GetAttr) return std::nullopt;
  std::optional<std::string> owner = ModulePath(node->input(), root);
  if (!owner) return std::nullopt;
  const std::string& name = node->s(c10::attr::name);
  return owner->empty() ? name : absl::StrCat(*owner, ".", name);
}

// "Conv2d" of "__torch__.torch.nn.modules.conv.___torch_mangle_3.Conv2d".
std::string ClassName(const Value* module) {
  const auto type = module->type()->cast<c10::ClassType>();
  return type && type->name() ? type->name()->name() : std::string();
}

// "forward", and in traced models "forward1" for a second call and so on.
bool IsForward(const std::string& method) {
  return absl::StartsWith(method, "forward") &&
         method.find_first_not_of("0123456789", 7) == std::string::npos;
}

class Marker {
 public:
  Marker(Graph& graph, std::vector<Mark>& marks)
      : graph_(graph), root_(graph.inputs().at(0)), marks_(marks) {}

  void MarkInput() {
    Value* input = graph_.inputs().at(1);
    MarkValue(input, *graph_.nodes().begin(),
              {{"input", Probe::Side::kOutput}, "input", "input"});
  }

  void InlineBlock(Block* block) {
    for (auto it = block->nodes().begin(); it != block->nodes().end();) {
      Node* node = *it;
      if (node->kind() == c10::prim::CallMethod) {
        it = InlineMethod(node);
      } else if (node->kind() == c10::prim::CallFunction) {
        it = InlineFunction(node);
      } else {
        for (Block* inner : node->blocks()) InlineBlock(inner);
        ++it;
      }
    }
  }

 private:
  using Position = torch::jit::graph_node_list_iterator;

  // Puts `call`'s body in its place and returns where that body begins, so that
  // calls inside it are met next.
  Position Replace(Node* call, torch::jit::GraphFunction* callee) {
    Node* before = call->prev();
    // Not the optimised graph: that one has its calls inlined already and their
    // paths lost.
    torch::jit::inlineCallTo(call, callee, callee->graph().get());
    return ++Position(before->iterator());
  }

  Position InlineFunction(Node* call) {
    Node* constant = call->input(0)->node();
    const auto type = call->input(0)->type()->cast<c10::FunctionType>();
    torch::jit::GraphFunction* callee =
        type ? torch::jit::tryToGraphFunction(*type->function()) : nullptr;
    if (callee == nullptr || constant->kind() != c10::prim::Constant) {
      return ++Position(call->iterator());
    }
    call->removeInput(0);
    return Replace(call, callee);
  }

  Position InlineMethod(Node* call) {
    const auto type = call->input(0)->type()->cast<c10::ClassType>();
    if (type && IsNoGrad(*type)) return ++Position(call->iterator());
    const std::string method = call->s(c10::attr::name);
    torch::jit::Function* function = type ? type->findMethod(method) : nullptr;
    torch::jit::GraphFunction* callee =
        function ? torch::jit::tryToGraphFunction(*function) : nullptr;
    if (callee == nullptr) return ++Position(call->iterator());
    const std::optional<std::string> path = ModulePath(call->input(0), root_);
    if (path && !path->empty() && IsForward(method)) MarkCall(call, *path);
    return Replace(call, callee);
  }

  void MarkCall(Node* call, const std::string& path) {
    const Mark mark = {{}, ClassName(call->input(0)), path, ++calls_[path]};
    Value* output = call->output();
    if (output->type()->isSubtypeOf(*c10::TensorType::get())) {
      MarkValue(output, call->next(), mark);
    } else if (const auto tuple = output->type()->cast<c10::TupleType>()) {
      MarkTuple(call, tuple, mark);
    }
  }

  void MarkTuple(Node* call, const c10::TupleTypePtr& type, Mark mark) {
    Value* output = call->output();
    Node* unpack = graph_.createTupleUnpack(output)->insertAfter(call);
    const std::vector<Value*> parts(unpack->outputs().begin(),
                                    unpack->outputs().end());
    // LibTorch wants the type of named tuples and refuses that of others.
    Node* pack = graph_.createTuple(parts, type->schema() ? type : nullptr)
                     ->insertAfter(unpack);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!type->elements()[i]->isSubtypeOf(*c10::TensorType::get())) continue;
      mark.part = static_cast<int>(i);
      MarkValue(parts[i], pack, mark);
    }
    output->replaceAllUsesAfterNodeWith(unpack, pack->output());
  }

  // Every later user of `value` gets it through a mark put before `position`.
  void MarkValue(Value* value, Node* position, Mark described) {
    torch::jit::WithInsertPoint guard(position);
    const auto id = static_cast<int64_t>(marks_.size());
    Node* mark = graph_.create(c10::Symbol::fromQualString(kMarkOp),
                               {value, graph_.insertConstant(id)});
    graph_.insertNode(mark);
    mark->output()->setType(c10::TensorType::get());
    value->replaceAllUsesAfterNodeWith(mark, mark->output());
    marks_.push_back(std::move(described));
  }

  Graph& graph_;
  Value* const root_;
  std::vector<Mark>& marks_;
  std::map<std::string, int> calls_;  // of forward, by module path
};

// The value of an attribute in a module's tree.
c10::IValue Attribute(const torch::jit::Module& root, absl::string_view path) {
  c10::IValue found = root._ivalue();
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string name(path.substr(begin, end - begin));
    const auto owner = found.toObject();
    found = owner->getSlot(owner->type()->getAttributeSlot(name));
    begin = end + 1;
  }
  return found;
}

// Turns every read of a module's attribute into a constant or an input.
class AttributeLifter {
 public:
  AttributeLifter(const torch::jit::Module& module, MarkedGraph& marked)
      : module_(module),
        marked_(marked),
        graph_(*marked.graph),
        root_(graph_.inputs().at(0)) {
    if (WritesContainers(graph_)) FindChanged(graph_.block());
  }

  void Lift(Block* block) {
    for (auto it = block->nodes().begin(); it != block->nodes().end();) {
      Node* node = *it++;
      for (Block* inner : node->blocks()) Lift(inner);
      if (node->kind() != c10::prim::GetAttr) continue;
      const auto path = ModulePath(node->output(), root_);
      if (!path || IsModule(node->output())) continue;
      node->output()->replaceAllUsesWith(Replacement(node, *path));
    }
  }

 private:
  static bool IsModule(const Value* value) {
    const auto type = value->type()->cast<c10::ClassType>();
    return type && type->is_module();
  }

  // A constant is the same list or dict in each pass.
  void FindChanged(const Block* block) {
    for (const Node* node : block->nodes()) {
      for (const Block* inner : node->blocks()) FindChanged(inner);
      if (node->kind() != c10::prim::GetAttr) continue;
      const auto path = ModulePath(node->output(), root_);
      if (path && IsChangedContainer(node->output())) changed_.insert(*path);
    }
  }

  Value* Replacement(Node* node, const std::string& path) {
    const c10::IValue value = Attribute(module_, path);
    if (changed_.count(path) == 0 && !value.isTensor() &&
        !value.isTensorList() && !HoldsParameters(module_, value)) {
      torch::jit::WithInsertPoint guard(node);
      if (auto constant = torch::jit::tryInsertConstant(graph_, value)) {
        return *constant;
      }
    }
    const auto known = inputs_.find(path);
    if (known != inputs_.end()) return known->second;
    Value* input = graph_.addInput()->setType(node->output()->type());
    marked_.attribute_names.push_back(path);
    // A list keeps asking for gradients when the module's parameters do not.
    marked_.attributes.push_back(MapTensors(
        value, [](const at::Tensor& tensor) { return tensor.detach(); }));
    return inputs_[path] = input;
  }

  const torch::jit::Module& module_;
  MarkedGraph& marked_;
  Graph& graph_;
  Value* const root_;
  std::map<std::string, Value*> inputs_;
  std::set<std::string> changed_;  // paths of lists and dicts
};

// forward() may have further arguments when they have defaults.
absl::Status FixExtraInputs(Graph& graph, const c10::FunctionSchema& schema) {
  const auto& arguments = schema.arguments();
  if (arguments.size() < 2 ||
      !arguments[1].type()->isSubtypeOf(*c10::TensorType::get())) {
    return absl::InvalidArgumentError(
        "the model's forward() must take one image tensor");
  }
  for (size_t i = arguments.size() - 1; i >= 2; --i) {
    if (!arguments[i].default_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the model's forward() needs argument \"",
          Printable(arguments[i].name()), "\" besides the image tensor"));
    }
    torch::jit::WithInsertPoint guard(*graph.nodes().begin());
    graph.inputs().at(i)->replaceAllUsesWith(
        graph.insertConstant(*arguments[i].default_value()));
    graph.eraseInput(i);
  }
  return absl::OkStatus();
}

void Simplify(std::shared_ptr<Graph>& graph) {
  torch::jit::ConstantPropagation(graph);
  torch::jit::PeepholeOptimize(graph, /*disable_shape_peepholes=*/true);
  torch::jit::ConstantPropagation(graph);
  torch::jit::LowerSimpleTuples(graph);
  torch::jit::EliminateDeadCode(graph);
}

// Of the attributes that are still read.
std::string WhatCannotMove(const torch::jit::Module& module,
                           const MarkedGraph& marked) {
  const auto inputs = marked.graph->inputs();
  const size_t first = inputs.size() - marked.attributes.size();
  for (size_t i = 0; i < marked.attributes.size(); ++i) {
    if (inputs[first + i]->uses().empty()) continue;
    const std::string reason = WhyItCannotMove(module, marked.attributes[i]);
    if (reason.empty()) continue;
    return absl::StrCat("\"", Printable(marked.attribute_names[i]), "\" ",
                        reason);
  }
  return "";
}

absl::Status CheckNothingLeft(const Block* block) {
  for (const Node* node : block->nodes()) {
    if (node->kind() == c10::prim::SetAttr) {
      return absl::InvalidArgumentError(
          absl::StrCat("the model writes to its attribute \"",
                       Printable(node->s(c10::attr::name)), "\" when it runs"));
    }
    for (const Block* inner : node->blocks()) {
      RETURN_IF_ERROR(CheckNothingLeft(inner));
    }
  }
  return absl::OkStatus();
}

void MarksInOrder(Block* block, std::vector<int64_t>& ids) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) MarksInOrder(inner, ids);
    if (IsMark(node)) ids.push_back(MarkId(node));
  }
}

// Numbers the calls of each module that are left once branches never taken are
// gone: `x + conv(x) if self.skip else conv(x)` calls conv once.
void NameMarks(MarkedGraph& marked) {
  std::vector<int64_t> ids;
  MarksInOrder(marked.graph->block(), ids);
  std::map<std::string, std::map<int, int>> number;  // path -> call -> from 1
  for (const int64_t id : ids) {
    Mark& mark = marked.marks[id];
    std::map<int, int>& calls = number[mark.path];
    const int next = static_cast<int>(calls.size()) + 1;
    const int call = calls.emplace(mark.call, next).first->second;
    mark.probe.layer = mark.path;
    if (call > 1) absl::StrAppend(&mark.probe.layer, "#", call);
    if (mark.part >= 0) absl::StrAppend(&mark.probe.layer, ":", mark.part);
  }
}

void ConvertConstants(Block* block, at::ScalarType dtype) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) ConvertConstants(inner, dtype);
    const bool is_tensor =
        node->kind() == c10::prim::Constant &&
        node->hasAttribute(c10::attr::value) &&
        node->kindOf(c10::attr::value) == torch::jit::AttributeKind::t;
    if (!is_tensor) continue;
    const at::Tensor value = node->t(c10::attr::value);
    // Single numbers adapt to what they meet.
    if (value.scalar_type() == at::kFloat && value.dim() > 0) {
      node->t_(c10::attr::value, value.to(dtype));
    }
  }
}

}  // namespace

absl::StatusOr<MarkedGraph> MarkGraph(const torch::jit::Module& module) {
  RegisterProbeOps();
  MarkedGraph marked;
  marked.functions = module.type()->compilation_unit();
  const auto forward = module.find_method("forward");
  if (!forward) {
    return absl::InvalidArgumentError("the model has no forward()");
  }
  marked.graph =
      torch::jit::toGraphFunction(forward->function()).graph()->copy();
  RETURN_IF_ERROR(
      FixExtraInputs(*marked.graph, forward->function().getSchema()));
  Marker marker(*marked.graph, marked.marks);
  marker.MarkInput();
  marker.InlineBlock(marked.graph->block());
  AttributeLifter(module, marked).Lift(marked.graph->block());
  marked.views = FindParameterViews(module, marked.attributes);
  marked.parameter = FirstInSameMemory(marked.views);
  DecomposeAttention(*marked.graph);
  Simplify(marked.graph);
  RETURN_IF_ERROR(ReplaceNoGrad(*marked.graph));
  UnrollLoops(marked.graph, marked.marks, &Simplify);
  Graph& graph = *marked.graph;
  RETURN_IF_ERROR(CheckNothingLeft(graph.block()));
  ForgetRunningStatistics(graph);
  marked.overwrites_tensors = FunctionaliseInPlaceOps(graph);
  marked.written_inputs = WrittenInputs(graph);
  NameMarks(marked);
  MarkLayerInputs(marked);
  torch::jit::EliminateDeadCode(marked.graph);
  torch::jit::ConstantPooling(marked.graph);
  marked.immovable = WhatCannotMove(module, marked);
  if (!graph.inputs().at(0)->uses().empty()) {
    return absl::InvalidArgumentError(
        "the model uses itself in a way that cannot be followed");
  }
  graph.eraseInput(0);
  marked.written_inputs.erase(marked.written_inputs.begin());
  return marked;
}

void ConvertFloats(MarkedGraph& marked, at::ScalarType dtype) {
  for (c10::IValue& attribute : marked.attributes) {
    attribute = MapTensors(attribute, [&](const at::Tensor& tensor) {
      return tensor.is_floating_point() ? tensor.detach().to(dtype) : tensor;
    });
  }
  ConvertConstants(marked.graph->block(), dtype);
}

}  // namespace saliency
