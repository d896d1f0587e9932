#include "core/model/probe_plan.h"

#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>

#include <algorithm>

#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

class MarkReplacer {
 public:
  MarkReplacer(Graph& graph, const std::vector<int>& slots, int expand_rows)
      : graph_(graph),
        slots_(slots),
        expand_rows_(expand_rows),
        recorder_(graph.addInput("recorder")->setType(c10::AnyType::get())) {}

  void Replace(Block* block) {
    for (auto it = block->nodes().begin(); it != block->nodes().end();) {
      Node* node = *it++;
      for (Block* inner : node->blocks()) Replace(inner);
      if (!IsMark(node)) continue;
      node->output()->replaceAllUsesWith(Replacement(node));
      node->destroy();
    }
  }

 private:
  Value* Replacement(Node* mark) {
    torch::jit::WithInsertPoint guard(mark);
    const int id = MarkId(mark);
    Value* value = mark->input(0);
    if (id == expand_rows_) value = Insert(kExpandRowsOp, {value, recorder_});
    const auto slot = std::find(slots_.begin(), slots_.end(), id);
    if (slot == slots_.end()) return value;
    return Insert(
        kVirtualIdentityOp,
        {value, recorder_,
         graph_.insertConstant(static_cast<int64_t>(slot - slots_.begin()))});
  }

  Value* Insert(const char* op, at::ArrayRef<Value*> inputs) {
    Node* node = graph_.insertNode(
        graph_.create(c10::Symbol::fromQualString(op), inputs));
    return node->output()->setType(c10::TensorType::get());
  }

  Graph& graph_;
  const std::vector<int>& slots_;
  const int expand_rows_;
  Value* const recorder_;
};

// LibTorch 1.13's gelu_backward leaves its result unwritten (so that it holds
// what lay there) where the gradient has another memory order than gelu's own
// result: behind a GELU whose pixels become tokens, say.
void OrderGradients(Graph& graph, Block* block) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) OrderGradients(graph, inner);
    if (!IsOp(node, "aten::gelu") && !IsOp(node, "aten::gelu_")) continue;
    Node* ordered = graph.create(c10::Symbol::fromQualString(kOrderGradientOp),
                                 {node->output()});
    ordered->insertAfter(node);
    ordered->output()->setType(c10::TensorType::get());
    node->output()->replaceAllUsesAfterNodeWith(ordered, ordered->output());
  }
}

std::shared_ptr<Graph> WithProbes(const MarkedGraph& marked,
                                  const std::vector<int>& slots,
                                  int expand_rows,
                                  const ProbePlan::Rewrite& rewrite) {
  std::shared_ptr<Graph> graph = marked.graph->copy();
  MarkReplacer(*graph, slots, expand_rows).Replace(graph->block());
  if (rewrite) rewrite(*graph);
  OrderGradients(*graph, graph->block());
  return graph;
}

}  // namespace

struct ProbePlan::Executable {
  torch::jit::Code code;
  const std::vector<bool> written_inputs;
};

ProbePlan::ProbePlan(const MarkedGraph& marked, const std::vector<int>& slots,
                     int expand_rows, const Rewrite& rewrite)
    : executable_(new Executable{
          torch::jit::Code(WithProbes(marked, slots, expand_rows, rewrite),
                           "saliency_probe"),
          marked.written_inputs}) {}

ProbePlan::~ProbePlan() = default;

c10::IValue ProbePlan::Run(const at::Tensor& input,
                           const std::vector<c10::IValue>& attributes,
                           const c10::intrusive_ptr<ProbeRecorder>& recorder,
                           const std::vector<c10::IValue>& more) const {
  torch::jit::Stack stack;
  stack.reserve(attributes.size() + more.size() + 2);
  stack.emplace_back(input);
  stack.insert(stack.end(), attributes.begin(), attributes.end());
  // What is overwritten must be neither the caller's nor the model's.
  const std::vector<bool>& written = executable_->written_inputs;
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i]) stack[i] = stack[i].deepcopy();
  }
  stack.push_back(c10::IValue::make_capsule(recorder));
  stack.insert(stack.end(), more.begin(), more.end());
  torch::jit::InterpreterState(executable_->code).run(stack);
  return stack.front();
}

}  // namespace saliency
