#include "core/model/graph/graph_facts.h"

#include <torch/script.h>

#include <algorithm>
#include <functional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/model/graph/node_kind.h"
#include "core/model/probe_ops.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

bool Is(const Node* node, std::initializer_list<const char*> names) {
  const std::string kind = node->kind().toQualString();
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return kind == name; });
}

bool IsConv(const Node* node) {
  return Is(node, {"aten::conv2d", "aten::_convolution", "aten::convolution",
                   "aten::_convolution_mode"});
}
bool IsBatchNorm(const Node* node) { return Is(node, {"aten::batch_norm"}); }

void ForEachNode(Block* block, const std::function<void(Node*)>& visit) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) ForEachNode(inner, visit);
    visit(node);
  }
}

// The node that made a marked value, behind any further marks on it.
Node* Producer(const Node* mark) {
  Node* node = mark->input(0)->node();
  while (IsMark(node)) node = node->input(0)->node();
  return node;
}

// The value of an attribute input; nullptr for anything else.
const c10::IValue* AttributeOf(const MarkedGraph& marked, const Value* value) {
  const auto inputs = marked.graph->inputs();
  const size_t first = inputs.size() - marked.attributes.size();
  for (size_t i = first; i < inputs.size(); ++i) {
    if (inputs[i] == value) return &marked.attributes[i - first];
  }
  return nullptr;
}

std::optional<at::Tensor> TensorOf(const MarkedGraph& marked,
                                   const Value* value) {
  const c10::IValue* attribute = AttributeOf(marked, value);
  if (attribute == nullptr || !attribute->isTensor()) return std::nullopt;
  return attribute->toTensor();
}

// Two numbers, or one for both axes.
std::optional<std::array<int64_t, 2>> Pair(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isIntList()) return std::nullopt;
  const std::vector<int64_t> list = constant->toIntVector();
  if (list.size() == 1) return std::array<int64_t, 2>{list[0], list[0]};
  if (list.size() == 2) return std::array<int64_t, 2>{list[0], list[1]};
  return std::nullopt;
}

bool ReadPadding(const Value* value, ConvGeometry& geometry) {
  if (const auto numbers = Pair(value)) {
    geometry.padding_before = geometry.padding_after = *numbers;
    return true;
  }
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isString()) return false;
  if (constant->toStringRef() == "valid") return true;
  if (constant->toStringRef() != "same") return false;
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t total = geometry.dilation[axis] * (geometry.kernel[axis] - 1);
    geometry.padding_before[axis] = total / 2;
    geometry.padding_after[axis] = total - total / 2;
  }
  return true;
}

std::optional<BatchNormStatistics> StatisticsOf(const MarkedGraph& marked,
                                                const Node* batch_norm) {
  const auto mean = TensorOf(marked, batch_norm->input(3));
  const auto variance = TensorOf(marked, batch_norm->input(4));
  const auto eps = EvalBatchNormEps(batch_norm);
  if (!mean || !variance || !eps) return std::nullopt;
  return BatchNormStatistics{mean->to(at::kFloat), variance->to(at::kFloat),
                             *eps};
}

// The top-level block in dataflow terms: only what lies on a way from the
// image to the result counts.
class Dataflow {
 public:
  explicit Dataflow(const MarkedGraph& marked) : block_(marked.graph->block()) {
    Value* image =
        block_
            ->inputs()[block_->inputs().size() - marked.attributes.size() - 1];
    from_image_.insert(image);
    int position = 0;
    for (Node* node : block_->nodes()) {
      position_[node] = ++position;
      for (Value* input : Inputs(node)) {
        if (from_image_.count(input) == 0) continue;
        from_image_.insert(node->outputs().begin(), node->outputs().end());
        break;
      }
    }
    position_[block_->return_node()] = ++position;
    for (Value* output : block_->outputs()) Reach(output);
  }

  // Values on the way, each with where it is last needed.
  const std::unordered_map<Value*, int>& last_use() const { return last_use_; }
  int DefinedAt(const Value* value) const {
    const auto it = position_.find(value->node());
    return it == position_.end() ? 0 : it->second;  // 0: an input
  }
  bool IsTopLevel(const Node* node) const { return position_.count(node) != 0; }
  int Position(const Node* node) const { return position_.at(node); }

 private:
  // A node's inputs and whatever its blocks take from outside.
  std::vector<Value*> Inputs(Node* node) const {
    std::vector<Value*> inputs(node->inputs().begin(), node->inputs().end());
    for (Block* inner : node->blocks()) {
      ForEachNode(inner, [&](Node* n) {
        inputs.insert(inputs.end(), n->inputs().begin(), n->inputs().end());
      });
      inputs.insert(inputs.end(), inner->outputs().begin(),
                    inner->outputs().end());
    }
    return inputs;
  }

  void Reach(Value* output) {
    std::vector<std::pair<Value*, int>> pending = {
        {output, position_.at(block_->return_node())}};
    while (!pending.empty()) {
      const auto [value, used_at] = pending.back();
      pending.pop_back();
      if (from_image_.count(value) == 0) continue;
      const auto [it, is_new] = last_use_.emplace(value, used_at);
      it->second = std::max(it->second, used_at);
      const auto node = position_.find(value->node());
      if (!is_new || node == position_.end()) continue;
      for (Value* input : Inputs(value->node())) {
        pending.emplace_back(input, node->second);
      }
    }
  }

  Block* block_;
  std::unordered_map<const Node*, int> position_;
  std::unordered_set<Value*> from_image_;
  std::unordered_map<Value*, int> last_use_;
};

// Steps over what changes nothing but shape, precision or name.
const Value* SkipReshapes(const Value* value) {
  while (Is(value->node(), {kMarkOp, "aten::flatten", "aten::view",
                            "aten::reshape", "aten::squeeze", "aten::dropout",
                            "aten::contiguous", "aten::to"})) {
    value = value->node()->input(0);
  }
  return value;
}

// Whether the node averages over all of H x W.
bool IsGlobalAveragePool(const Node* node) {
  if (Is(node, {"aten::adaptive_avg_pool2d"})) {
    return Pair(node->input(1)) == std::array<int64_t, 2>{1, 1};
  }
  if (!Is(node, {"aten::mean"}) || node->inputs().size() < 3) return false;
  const auto dims = Pair(node->input(1));
  if (!dims) return false;
  std::set<int64_t> axes;
  for (const int64_t dim : *dims) axes.insert(dim < 0 ? dim + 4 : dim);
  return axes == std::set<int64_t>{2, 3};
}

// The [C,K] weight of linear(x, W, b) or addmm(b, x, t(W)).
std::optional<at::Tensor> LinearWeight(const MarkedGraph& marked,
                                       const Node* node) {
  if (Is(node, {"aten::linear"})) return TensorOf(marked, node->input(1));
  if (Is(node, {"aten::addmm"}) && Is(node->input(2)->node(), {"aten::t"})) {
    return TensorOf(marked, node->input(2)->node()->input(0));
  }
  return std::nullopt;
}

}  // namespace

// conv2d and, where a trace met padding="same", _convolution_mode(x, w, b,
// stride, padding, dilation, groups);
// _convolution(x, w, b, stride, padding, dilation, transposed, ..., groups).
std::optional<ConvGeometry> ReadConv(const MarkedGraph& marked,
                                     const Node* node) {
  const bool general = Is(node, {"aten::_convolution", "aten::convolution"});
  const auto weight = TensorOf(marked, node->input(1));
  const auto stride = Pair(node->input(3));
  const auto dilation = Pair(node->input(5));
  const auto groups = torch::jit::toIValue(node->input(general ? 8 : 6));
  if (!weight || weight->dim() != 4 || !stride || !dilation || !groups) {
    return std::nullopt;
  }
  if (general) {
    const auto transposed = torch::jit::toIValue(node->input(6));
    if (!transposed || transposed->toBool()) return std::nullopt;
  }
  ConvGeometry geometry;
  geometry.kernel = {weight->size(2), weight->size(3)};
  geometry.stride = *stride;
  geometry.dilation = *dilation;
  geometry.groups = groups->toInt();
  if (!ReadPadding(node->input(4), geometry)) return std::nullopt;
  return geometry;
}

std::optional<double> EvalBatchNormEps(const Node* node) {
  const auto training = torch::jit::toIValue(node->input(5));
  const auto eps = torch::jit::toIValue(node->input(7));
  if (!training || training->toBool() || !eps) return std::nullopt;
  return eps->toDouble();
}

void MarkLayerInputs(MarkedGraph& marked) {
  Graph& graph = *marked.graph;
  ForEachNode(graph.block(), [&](Node* mark) {
    if (!IsMark(mark)) return;
    const Mark layer = marked.marks[MarkId(mark)];
    Node* producer = Producer(mark);
    const bool has_input_side = IsConv(producer) || IsBatchNorm(producer);
    if (!has_input_side || layer.probe.side == Probe::Side::kInput) return;
    torch::jit::WithInsertPoint guard(producer);
    Value* id = graph.insertConstant(static_cast<int64_t>(marked.marks.size()));
    Node* input_mark = graph.insertNode(graph.create(
        c10::Symbol::fromQualString(kMarkOp), {producer->input(0), id}));
    producer->replaceInput(0, input_mark->output());
    marked.marks.push_back(
        {{layer.probe.layer, Probe::Side::kInput}, layer.kind});
  });
}

std::map<std::string, ConvGeometry> ConvLayers(const MarkedGraph& marked) {
  std::map<std::string, ConvGeometry> layers;
  ForEachNode(marked.graph->block(), [&](Node* mark) {
    if (!IsMark(mark) || !IsConv(Producer(mark))) return;
    const Probe& probe = marked.marks[MarkId(mark)].probe;
    if (probe.side == Probe::Side::kInput) return;
    if (const auto geometry = ReadConv(marked, Producer(mark))) {
      layers[probe.layer] = *geometry;
    }
  });
  return layers;
}

std::map<std::string, BatchNormStatistics> BatchNormLayers(
    const MarkedGraph& marked) {
  std::map<std::string, BatchNormStatistics> layers;
  ForEachNode(marked.graph->block(), [&](Node* mark) {
    if (!IsMark(mark) || !IsBatchNorm(Producer(mark))) return;
    const Probe& probe = marked.marks[MarkId(mark)].probe;
    if (probe.side == Probe::Side::kInput) return;
    if (const auto statistics = StatisticsOf(marked, Producer(mark))) {
      layers[probe.layer] = *statistics;
    }
  });
  return layers;
}

std::vector<bool> FindCuts(const MarkedGraph& marked) {
  std::vector<bool> cuts(marked.marks.size(), false);
  const Dataflow flow(marked);
  // crossing[p]: how far the values defined before position p reach.
  std::map<int, int> reach_by_definition;
  for (const auto& [value, last_use] : flow.last_use()) {
    int& reach = reach_by_definition[flow.DefinedAt(value)];
    reach = std::max(reach, last_use);
  }
  ForEachNode(marked.graph->block(), [&](Node* mark) {
    if (!IsMark(mark) || !flow.IsTopLevel(mark)) return;
    if (flow.last_use().count(mark->output()) == 0) return;
    const int position = flow.Position(mark);
    const auto end = reach_by_definition.lower_bound(position);
    const bool crossed =
        std::any_of(reach_by_definition.begin(), end,
                    [&](const auto& entry) { return entry.second > position; });
    const Probe& probe = marked.marks[MarkId(mark)].probe;
    // A write through an alias is a path that the dataflow does not show.
    const bool trusted = !marked.overwrites_tensors || probe.layer == "input";
    cuts[MarkId(mark)] = !crossed && trusted;
  });
  return cuts;
}

std::vector<int> MarkPositions(const MarkedGraph& marked) {
  std::vector<int> positions(marked.marks.size(), -1);
  int position = 0;
  ForEachNode(marked.graph->block(), [&](Node* node) {
    ++position;
    if (IsMark(node)) positions[MarkId(node)] = position;
  });
  return positions;
}

std::optional<LinearHead> FindLinearHead(const MarkedGraph& marked,
                                         std::optional<int> output_index) {
  const Value* logits = marked.graph->outputs().at(0);
  if (Is(logits->node(), {"prim::TupleConstruct", "prim::ListConstruct"})) {
    const auto parts = logits->node()->inputs();
    const size_t index = output_index.value_or(0);
    if (index >= parts.size()) return std::nullopt;
    logits = parts[index];
  }
  const Node* linear = SkipReshapes(logits)->node();
  const auto weight = LinearWeight(marked, linear);
  if (!weight || weight->dim() != 2) return std::nullopt;
  const Value* features = linear->input(Is(linear, {"aten::addmm"}) ? 1 : 0);
  const Node* pool = SkipReshapes(features)->node();
  if (!IsGlobalAveragePool(pool)) return std::nullopt;
  LinearHead head{weight->detach().to(at::kFloat), {}};
  const Node* mark = pool->input(0)->node();
  for (; IsMark(mark); mark = mark->input(0)->node()) {
    head.layers.push_back(marked.marks[MarkId(mark)].probe.layer);
  }
  return head.layers.empty() ? std::nullopt : std::make_optional(head);
}

}  // namespace saliency
