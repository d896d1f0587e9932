#include "core/model/failure_reason.h"

#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <optional>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/near_names.h"
#include "core/model/probe_ops.h"
#include "core/model/scores.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

constexpr char kNoteOp[] = "saliency::note";

// Which operator the run has come to, and what it was given.
struct RunNotes : torch::CustomClassHolder {
  int64_t at = -1;
  std::vector<at::Tensor> tensors;
};

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

bool IsMarkKind(const Node* node) {
  return node->kind() == c10::Symbol::fromQualString(kMarkOp);
}

// What is known of an operator before it runs.
struct NotedOperator {
  std::string name;                  // "conv2d"
  std::string layer;                 // that returns its result; empty: none
  std::vector<std::string> devices;  // that its constants name
  // Of a convolution that is not transposed.
  std::optional<int64_t> groups;
  std::string exception;  // what the model says when it raises one
};

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
      const bool quiet = node->kind() == c10::prim::Constant ||
                         IsMarkKind(node) || !node->blocks().empty();
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
    operators_.push_back(DescribeStop(node));
  }

  NotedOperator DescribeStop(Node* node) const {
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
        if (!IsMarkKind(use.user)) continue;
        const auto id = torch::jit::toIValue(use.user->input(1))->toInt();
        const Mark& mark = marks_[id];
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

std::string DtypeName(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kByte:
      return "uint8";
    default:
      return absl::AsciiStrToLower(c10::toString(tensor.scalar_type()));
  }
}

std::string SizesText(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes().vec(), ","), "]");
}

std::string NamedText(const NotedOperator& what) {
  std::string named = absl::StrCat("operator ", Printable(what.name));
  if (!what.layer.empty()) {
    absl::StrAppend(&named, " of layer \"", Printable(what.layer), "\"");
  }
  return named;
}

// The model's author's words, "AssertionError: expects 64x64".
std::string ExceptionText(absl::string_view text) {
  constexpr size_t kLongest = 200;
  text = absl::StripSuffix(absl::StripTrailingAsciiWhitespace(text), ":");
  return absl::StrCat(
      "an assert or raise of its own stops it",
      text.empty()
          ? ""
          : absl::StrCat(": \"", Printable(text.substr(0, kLongest)), "\""));
}

// A device that is named in the file and is not the instance's.
std::optional<std::string> OtherDevice(const NotedOperator& what,
                                       c10::Device device) {
  for (const std::string& named : what.devices) {
    const c10::Device wanted(named);
    const bool is_same = wanted.type() == device.type() &&
                         (!wanted.has_index() || !device.has_index() ||
                          wanted.index() == device.index());
    if (!is_same) return named;
  }
  return std::nullopt;
}

std::string Counted(int64_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

// The two numbers that do not fit, where the operator is one whose rule is
// known.
std::optional<std::string> SizesThatDiffer(
    const NotedOperator& what, const std::vector<at::Tensor>& tensors,
    at::IntArrayRef image) {
  if (tensors.size() < 2) return std::nullopt;
  const at::Tensor& x = tensors[0];
  const at::Tensor& weight = tensors[1];
  if (!x.defined() || !weight.defined()) return std::nullopt;
  if (what.groups && x.dim() == 4 && weight.dim() == 4 &&
      x.size(1) != weight.size(1) * *what.groups) {
    return absl::StrCat(
        "takes ", Counted(weight.size(1) * *what.groups, "channel"),
        " and got ", x.size(1),
        x.sizes() == image ? ", those of an image: only models of images "
                             "with 3 channels are served"
                           : "");
  }
  if (what.name == "linear" && x.dim() > 0 && weight.dim() == 2 &&
      x.size(-1) != weight.size(1)) {
    return absl::StrCat("takes ", Counted(weight.size(1), "feature"),
                        " and got ", x.size(-1));
  }
  return std::nullopt;
}

std::string DescribeStop(const NotedOperator& what, const RunNotes& notes,
                         c10::Device device, at::IntArrayRef image,
                         bool with_gradients) {
  if (what.name == "RaiseException") return ExceptionText(what.exception);
  const std::string named = NamedText(what);
  if (const auto other = OtherDevice(what, device)) {
    return absl::StrCat(named, " asks for device ", *other,
                        ", but this instance runs on ", device.str(),
                        ": export the model without a device, or set "
                        "instances in config.pbtxt");
  }
  std::set<std::string> devices, dtypes;
  std::vector<std::string> inputs;
  for (const at::Tensor& tensor : notes.tensors) {
    if (!tensor.defined()) continue;
    devices.insert(tensor.device().str());
    if (tensor.is_floating_point()) dtypes.insert(DtypeName(tensor));
    inputs.push_back(absl::StrCat(DtypeName(tensor), " ", SizesText(tensor)));
  }
  if (devices.size() > 1) {
    return absl::StrCat(named, " meets tensors on ",
                        absl::StrJoin(devices, " and "));
  }
  if (const auto sizes = SizesThatDiffer(what, notes.tensors, image)) {
    return absl::StrCat(named, " ", *sizes);
  }
  if (dtypes.size() > 1) {
    return absl::StrCat(named, " meets ", absl::StrJoin(dtypes, " and "),
                        ": weights are brought to the configured precision, "
                        "casts inside the model are not");
  }
  constexpr size_t kMostInputs = 4;
  if (inputs.size() > kMostInputs) inputs.resize(kMostInputs);
  return absl::StrCat(
      named, with_gradients ? " cannot be run with gradients" : " fails",
      inputs.empty() ? "" : absl::StrCat(" on ", absl::StrJoin(inputs, ", ")));
}

// A run of the graph with notes.
class NotedRun {
 public:
  explicit NotedRun(const ProbedNetwork& network)
      : network_(network), graph_(network.marked().graph->copy()) {
    Notetaker taker(*graph_, network.marked().marks);
    taker.Take(graph_->block());
    operators_ = taker.operators();
    code_.emplace(graph_, "saliency_notes");
  }

  c10::IValue Run(const at::Tensor& input) {
    image_ = input.sizes().vec();
    const MarkedGraph& marked = network_.marked();
    torch::jit::Stack stack = {input};
    stack.insert(stack.end(), marked.attributes.begin(),
                 marked.attributes.end());
    for (size_t i = 0; i < marked.written_inputs.size(); ++i) {
      if (marked.written_inputs[i] && i > 0) stack[i] = stack[i].deepcopy();
    }
    stack.push_back(c10::IValue::make_capsule(notes_));
    torch::jit::InterpreterState(*code_).run(stack);
    return stack.front();
  }

  std::string WhereItStopped(bool with_gradients) const {
    if (notes_->at < 0) return "";
    return DescribeStop(operators_[notes_->at], *notes_, network_.device(),
                        image_, with_gradients);
  }

 private:
  const ProbedNetwork& network_;
  const std::shared_ptr<Graph> graph_;
  const c10::intrusive_ptr<RunNotes> notes_ = c10::make_intrusive<RunNotes>();
  std::vector<NotedOperator> operators_;
  std::optional<torch::jit::Code> code_;
  std::vector<int64_t> image_;  // sizes of the input
};

// The library's words when `work` throws; nullopt when it does not.
std::optional<std::string> Thrown(const std::function<void()>& work) {
  const absl::Status status =
      CatchTorch(absl::StatusCode::kInvalidArgument, "", [&] {
        work();
        return absl::OkStatus();
      });
  if (status.ok()) return std::nullopt;
  return TorchDetail(status);
}

// The word behind `before`, as far as it is a name.
std::string NameBehind(absl::string_view text, absl::string_view before) {
  const size_t found = text.find(before);
  if (found == absl::string_view::npos) return "";
  absl::string_view rest = text.substr(found + before.size());
  rest = absl::StripLeadingAsciiWhitespace(rest);
  if (absl::StartsWith(rest, "'")) rest.remove_prefix(1);
  size_t end = 0;
  while (end < rest.size() &&
         (absl::ascii_isalnum(static_cast<unsigned char>(rest[end])) ||
          rest[end] == '_' || rest[end] == ':' ||
          (rest[end] == '.' && end + 1 < rest.size() &&
           absl::ascii_isalnum(static_cast<unsigned char>(rest[end + 1]))))) {
    ++end;
  }
  std::string name(absl::StripPrefix(rest.substr(0, end), "aten::"));
  while (absl::EndsWith(name, ":")) name.pop_back();
  return Printable(name);
}

std::string BackwardReason(absl::string_view detail) {
  for (const absl::string_view before :
       {"derivative for ", "Derivative for "}) {
    const std::string name = NameBehind(detail, before);
    if (!name.empty()) {
      return absl::StrCat("operator ", name,
                          " has no derivative, so that there are no gradients");
    }
  }
  return "its backward pass fails";
}

}  // namespace

std::string ReasonOfFailure(const ProbedNetwork& network,
                            const at::Tensor& input) {
  RegisterNoteOp();
  NotedRun run(network);
  at::Tensor x =
      Upload(input, network.device(), network.dtype()).detach().clone();
  const auto plain = [&] {
    const at::NoGradGuard no_grad;
    run.Run(x);
  };
  if (Thrown(plain)) return run.WhereItStopped(/*with_gradients=*/false);
  const at::AutoGradMode with_grad(true);
  x.set_requires_grad(true);
  c10::IValue output;
  // A copy: a leaf cannot be overwritten in place.
  if (Thrown([&] { output = run.Run(x.clone()); })) {
    return run.WhereItStopped(/*with_gradients=*/true);
  }
  const auto backward = Thrown([&] {
    const auto raw =
        SelectOutput(output, network.output().index, network.output().key);
    if (!raw.ok() || !raw->requires_grad()) return;
    torch::autograd::grad({raw->sum()}, {x}, {}, false, false,
                          /*allow_unused=*/true);
  });
  return backward ? BackwardReason(*backward) : "";
}

std::string ReasonOfUnreadableFile(absl::string_view detail) {
  if (const std::string name = NameBehind(detail, "Unknown builtin op: ");
      !name.empty()) {
    return absl::StrCat("it uses operator ", name,
                        ", which this server's LibTorch does not have");
  }
  if (const std::string name = NameBehind(detail, "Unknown type name ");
      !name.empty()) {
    return absl::StrCat("it uses class ", name,
                        ", which this server's LibTorch does not have");
  }
  if (absl::StrContains(detail, "Attempted to read a PyTorch file with")) {
    return absl::StrCat("it has format version ",
                        NameBehind(detail, "PyTorch file with version "),
                        ", of at most ",
                        NameBehind(detail, "supported version for reading is "),
                        ": export it with an older PyTorch");
  }
  if (absl::StrContains(detail, "constants.pkl")) {
    return "it holds no code: torch.save wrote it, not torch.jit.save";
  }
  if (absl::StrContains(detail, "required keyword attribute")) {
    return "it holds a constant that cannot be read back, as files of "
           "torch.jit.optimize_for_inference do: export the model without it";
  }
  return "";
}

}  // namespace saliency
