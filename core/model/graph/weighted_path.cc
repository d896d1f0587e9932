#include "core/model/graph/weighted_path.h"

#include <torch/script.h>

#include <functional>
#include <unordered_map>
#include <utility>

#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

bool IsElementwise(const Node* node) {
  for (const char* name :
       {"aten::add", "aten::sub", "aten::mul", "aten::div", "aten::add_",
        "aten::sub_", "aten::mul_", "aten::div_", "aten::rsub"}) {
    if (IsOp(node, name)) return true;
  }
  return false;
}

// Packed weights are objects.
bool AreWeights(const c10::IValue& value) {
  return value.isObject() || (value.isTensor() && value.toTensor().dim() >= 2);
}

// What a value is made of, from the first operator to the last.
class Sources {
 public:
  explicit Sources(const MarkedGraph& marked) {
    const auto inputs = marked.graph->inputs();
    const size_t first = inputs.size() - marked.attributes.size();
    for (size_t i = first; i < inputs.size(); ++i) {
      of_[inputs[i]] = {.weights = AreWeights(marked.attributes[i - first])};
    }
    Visit(marked.graph->block());
  }

  bool HasWeights(const Node* node) const {
    for (const Value* input : node->inputs()) {
      if (IsWeight(input)) return true;
    }
    return false;
  }

  // Also where it cannot be told to be of the image.
  bool IsBehindWeights(const Value* value) const {
    const Source source = Of(value);
    return source.behind_weights || !source.image;
  }

 private:
  struct Source {
    bool weights = false;  // a matrix of the model, or computed from one
    bool image = false;
    bool behind_weights = false;  // of the image, through an operator with some
  };

  Source Of(const Value* value) const {
    const auto found = of_.find(value);
    if (found != of_.end()) return found->second;
    if (const auto constant = torch::jit::toIValue(value)) {
      return {.weights = AreWeights(*constant)};
    }
    return {.image = true};  // the image itself, what a block is given
  }

  bool IsWeight(const Value* value) const {
    const Source source = Of(value);
    return source.weights && !source.image;
  }

  void Visit(const Block* block) {
    for (const Node* node : block->nodes()) {
      if (node->kind() == c10::prim::Constant) continue;
      Source made;
      for (const Block* inner : node->blocks()) {
        Visit(inner);
        made.image = true;
        for (const Value* output : inner->outputs()) {
          made.behind_weights |= Of(output).behind_weights;
        }
      }
      for (const Value* input : node->inputs()) {
        const Source source = Of(input);
        made.weights |= source.weights;
        made.image |= source.image;
        made.behind_weights |= source.behind_weights;
      }
      made.behind_weights |=
          made.image && !IsElementwise(node) && HasWeights(node);
      for (const Value* output : node->outputs()) of_[output] = made;
      if (WritesFirstInput(node)) of_[node->input(0)] = made;
    }
  }

  std::unordered_map<const Value*, Source> of_;
};

void VisitMarks(const Block* block,
                const std::function<void(int, const Node*)>& visit) {
  for (const Node* node : block->nodes()) {
    for (const Block* inner : node->blocks()) VisitMarks(inner, visit);
    if (IsMark(node)) visit(MarkId(node), node);
  }
}

// Whether a value meets an operator with weights on its way to the output.
class WeightsAhead {
 public:
  explicit WeightsAhead(const MarkedGraph& marked)
      : marked_(marked), sources_(marked) {
    for (Value* output : marked.graph->outputs()) Reach(output, false);
  }

  std::vector<bool> ByMark() const {
    std::vector<bool> before(marked_.marks.size(), false);
    VisitMarks(marked_.graph->block(), [&](int id, const Node* mark) {
      const auto found = ahead_.find(mark->output());
      before[id] = found != ahead_.end() && found->second;
    });
    return before;
  }

 private:
  // Backwards, each value at most once without and once with weights ahead.
  void Reach(Value* first, bool weights) {
    std::vector<std::pair<Value*, bool>> pending = {{first, weights}};
    while (!pending.empty()) {
      const auto [value, ahead] = pending.back();
      pending.pop_back();
      const auto [it, is_new] = ahead_.emplace(value, ahead);
      if (!is_new && (it->second || !ahead)) continue;
      it->second |= ahead;
      Node* node = value->node();
      const bool more = ahead || sources_.HasWeights(node);
      for (Value* input : node->inputs()) pending.emplace_back(input, more);
      for (Block* inner : node->blocks()) {
        AddInputs(inner, more, pending);
        for (Value* output : inner->outputs()) {
          pending.emplace_back(output, more);
        }
      }
      // Out of a block: what its node is given.
      if (node->kind() == c10::prim::Param &&
          node->owningBlock()->owningNode() != nullptr) {
        for (Value* input : node->owningBlock()->owningNode()->inputs()) {
          pending.emplace_back(input, more);
        }
      }
    }
  }

  static void AddInputs(Block* block, bool ahead,
                        std::vector<std::pair<Value*, bool>>& pending) {
    for (Node* node : block->nodes()) {
      for (Block* inner : node->blocks()) AddInputs(inner, ahead, pending);
      for (Value* input : node->inputs()) pending.emplace_back(input, ahead);
    }
  }

  const MarkedGraph& marked_;
  const Sources sources_;
  std::unordered_map<const Value*, bool> ahead_;
};

}  // namespace

std::vector<bool> FindBeforeWeights(const MarkedGraph& marked) {
  return WeightsAhead(marked).ByMark();
}

std::vector<bool> FindBehindWeights(const MarkedGraph& marked) {
  const Sources sources(marked);
  std::vector<bool> behind(marked.marks.size(), false);
  VisitMarks(marked.graph->block(), [&](int id, const Node* mark) {
    behind[id] = sources.IsBehindWeights(mark->output());
  });
  return behind;
}

}  // namespace saliency
