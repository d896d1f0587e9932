#include "core/model/noted_run.h"

#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/model/graph/node_kind.h"

namespace saliency {

// Which operator the run has come to, and what it was given.
struct RunNotes : torch::CustomClassHolder {
  int64_t at = -1;
  std::vector<at::Tensor> tensors;
};

namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

constexpr char kNoteOp[] = "saliency::note";

// (notes, number of the operator, its tensors...); vararg, so that the number
// of inputs is on top of the stack.
void TakeNote(torch::jit::Stack& stack) {
  const auto count = static_cast<size_t>(torch::jit::pop(stack).toInt());
  const auto inputs = torch::jit::last(stack, count);
  RunNotes& notes =
      *c10::static_intrusive_pointer_cast<RunNotes>(inputs[0].toCapsule());
  notes.at = inputs[1].toInt();
  notes.tensors.clear();
  for (size_t i = 2; i < count; ++i) {
    if (inputs[i].isTensor()) {
      notes.tensors.push_back(inputs[i].toTensor());
    } else if (inputs[i].isTensorList()) {
      for (const at::Tensor& tensor : inputs[i].toTensorVector()) {
        notes.tensors.push_back(tensor);
      }
    }
  }
  torch::jit::drop(stack, count);
}

void RegisterNoteOp() {
  static const bool registered = [] {
    torch::jit::registerOperator(
        torch::jit::Operator(absl::StrCat(kNoteOp, "(...) -> ()"), &TakeNote,
                             c10::AliasAnalysisKind::CONSERVATIVE));
    return true;
  }();
  static_cast<void>(registered);
}

// A constant argument of the node, by its name in the operator's schema.
std::optional<c10::IValue> ConstantArgument(const Node* node,
                                            const std::string& name) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const auto index = schema->argumentIndexWithName(name);
  if (!index) return std::nullopt;
  const auto constant = torch::jit::toIValue(node->input(*index));
  if (!constant) return std::nullopt;
  return *constant;
}

class Notetaker {
 public:
  Notetaker(Graph& graph, const std::vector<Mark>& marks)
      : graph_(graph),
        marks_(marks),
        notes_(graph.addInput("notes")->setType(c10::AnyType::get())) {}

  void Take(Block* block) {
    for (auto it = block->nodes().begin(); it != block->nodes().end();) {
      Node* node = *it++;
      const bool quiet = node->kind() == c10::prim::Constant || IsMark(node) ||
                         !node->blocks().empty();
      if (!quiet) NoteNode(node);
      for (Block* inner : node->blocks()) Take(inner);
    }
  }

  const std::vector<NotedOperator>& operators() const { return operators_; }

 private:
  void NoteNode(Node* node) {
    torch::jit::WithInsertPoint guard(node);
    std::vector<Value*> inputs = {
        notes_, graph_.insertConstant(static_cast<int64_t>(operators_.size()))};
    for (Value* input : node->inputs()) {
      const c10::Type& type = *input->type();
      if (type.isSubtypeOf(*c10::TensorType::get()) ||
          type.isSubtypeOf(*c10::ListType::ofTensors())) {
        inputs.push_back(input);
      }
    }
    graph_.insertNode(
        graph_.create(c10::Symbol::fromQualString(kNoteOp), inputs, 0));
    operators_.push_back(Describe(node));
  }

  NotedOperator Describe(Node* node) const {
    const std::string kind = node->kind().toQualString();
    NotedOperator described = {
        .name = std::string(
            absl::StripPrefix(absl::StripPrefix(kind, "aten::"), "prim::"))};
    if (described.name == "RaiseException") {
      const auto text = torch::jit::toIValue(node->input(0));
      described.exception = text && text->isString() ? text->toStringRef() : "";
    }
    if (kind == "aten::cuda") described.devices.push_back("cuda");
    const auto transposed = ConstantArgument(node, "transposed");
    const auto groups = ConstantArgument(node, "groups");
    if (groups && groups->isInt() && !absl::StrContains(kind, "transpose") &&
        !(transposed && transposed->isBool() && transposed->toBool())) {
      described.groups = groups->toInt();
    }
    for (const Value* input : node->inputs()) {
      const auto constant = torch::jit::toIValue(input);
      if (constant && constant->isDevice()) {
        described.devices.push_back(constant->toDevice().str());
      }
    }
    for (const Value* output : node->outputs()) {
      for (const torch::jit::Use& use : output->uses()) {
        if (!IsMark(use.user)) continue;
        const Mark& mark = marks_[MarkId(use.user)];
        const bool is_result = mark.probe.side == Probe::Side::kOutput;
        if (is_result) described.layer = mark.probe.layer;
      }
    }
    return described;
  }

  Graph& graph_;
  const std::vector<Mark>& marks_;
  Value* const notes_;
  std::vector<NotedOperator> operators_;
};

}  // namespace

struct NotedRun::Impl {
  explicit Impl(const ProbedNetwork& network_in)
      : network(network_in), graph(network.marked().graph->copy()) {
    RegisterNoteOp();
    Notetaker taker(*graph, network.marked().marks);
    taker.Take(graph->block());
    operators = taker.operators();
    code.emplace(graph, "saliency_notes");
  }

  const ProbedNetwork& network;
  const std::shared_ptr<Graph> graph;
  const c10::intrusive_ptr<RunNotes> notes = c10::make_intrusive<RunNotes>();
  std::vector<NotedOperator> operators;
  std::optional<torch::jit::Code> code;
};

NotedRun::NotedRun(const ProbedNetwork& network)
    : impl_(std::make_unique<Impl>(network)) {}
NotedRun::~NotedRun() = default;

c10::IValue NotedRun::Run(const at::Tensor& input) {
  const MarkedGraph& marked = impl_->network.marked();
  torch::jit::Stack stack = {input};
  stack.insert(stack.end(), marked.attributes.begin(), marked.attributes.end());
  for (size_t i = 0; i < marked.written_inputs.size(); ++i) {
    if (marked.written_inputs[i] && i > 0) stack[i] = stack[i].deepcopy();
  }
  stack.push_back(c10::IValue::make_capsule(impl_->notes));
  torch::jit::InterpreterState(*impl_->code).run(stack);
  return stack.front();
}

const NotedOperator* NotedRun::last() const {
  const int64_t at = impl_->notes->at;
  return at < 0 ? nullptr : &impl_->operators[at];
}

const std::vector<at::Tensor>& NotedRun::tensors() const {
  return impl_->notes->tensors;
}

}  // namespace saliency
