#include "core/model/graph/data_dependence.h"

#include <torch/script.h>

#include <set>
#include <string>
#include <unordered_set>

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

bool ReadsANumber(const Node* node) {
  static const auto* const kinds =
      new std::set<std::string>{"aten::Bool",
                                "aten::Complex",
                                "aten::Float",
                                "aten::FloatImplicit",
                                "aten::Int",
                                "aten::IntImplicit",
                                "aten::ScalarImplicit",
                                "aten::allclose",
                                "aten::equal",
                                "aten::is_nonzero",
                                "aten::item",
                                "prim::tolist",
                                "aten::tolist",
                                "aten::ComplexImplicit",
                                "aten::_local_scalar_dense"};
  return kinds->count(node->kind().toQualString()) != 0;
}

// Follows the images' values through tensors and what holds them.  Numbers
// end the trail: they come from sizes, or ReadsANumber has found them.
class Trail {
 public:
  explicit Trail(Value* image) { values_.insert(image); }

  // The operator that read the number off.
  const std::string& reader() const { return reader_; }

  // Whether a number is read off in `block`.
  bool Follow(Block* block) {
    for (Node* node : block->nodes()) {
      const bool reached = Reaches(node);
      if (reached && ReadsANumber(node)) {
        reader_ = node->kind().toQualString();
        return true;
      }
      for (Block* inner : node->blocks()) {
        if (FollowInner(node, inner)) return true;
      }
      if (reached) Extend(node->outputs());
    }
    return false;
  }

 private:
  bool FollowInner(Node* node, Block* inner) {
    if (Reaches(node)) Extend(inner->inputs());
    if (Follow(inner)) return true;
    for (Value* output : inner->outputs()) {
      if (values_.count(output) == 0) continue;
      Extend(node->outputs());
      // What one round of a Loop makes, the next one takes.
      const bool is_new = Extend(inner->inputs());
      return is_new && Follow(inner);
    }
    return false;
  }

  bool Reaches(const Node* node) const {
    for (const Value* input : node->inputs()) {
      if (values_.count(input) != 0) return true;
    }
    return false;
  }

  // Returns whether any of them is new on the trail.
  bool Extend(at::ArrayRef<Value*> values) {
    bool is_new = false;
    for (const Value* value : values) {
      if (HoldsValues(*value->type())) {
        is_new |= values_.insert(value).second;
      }
    }
    return is_new;
  }

  static bool HoldsValues(const c10::Type& type) {
    const c10::TypeKind kind = type.kind();
    return kind == c10::TypeKind::TensorType ||
           kind == c10::TypeKind::AnyType || kind == c10::TypeKind::ClassType ||
           !type.containedTypes().empty();
  }

  std::unordered_set<const Value*> values_;
  std::string reader_;
};

Value* ImageOf(const MarkedGraph& marked) {
  const auto inputs = marked.graph->inputs();
  return inputs[inputs.size() - marked.attributes.size() - 1];
}

bool IsZero(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isInt() && constant->toInt() == 0;
}

bool Raises(const Node* branches) {
  for (const Block* inner : branches->blocks()) {
    for (const Node* node : inner->nodes()) {
      if (node->kind() == c10::prim::RaiseException) return true;
    }
  }
  return false;
}

// Follows the sizes of first axes through numbers.
class CountTrail {
 public:
  explicit CountTrail(const Value* image) : image_(image) {}

  // Whether an If in `block` goes by one of them.
  bool Decides(const Block* block) {
    for (const Node* node : block->nodes()) {
      Note(node);
      if (node->kind() == c10::prim::If && !Raises(node) &&
          counts_.count(node->input(0)) != 0) {
        return true;
      }
      for (const Block* inner : node->blocks()) {
        if (Decides(inner)) return true;
      }
    }
    return false;
  }

 private:
  void Note(const Node* node) {
    if (node->kind() == c10::aten::size && !IsAttribute(node->input(0))) {
      if (node->inputs().size() == 1) sizes_.insert(node->output());
      if (node->inputs().size() == 2 && IsZero(node->input(1))) {
        counts_.insert(node->output());
      }
      return;
    }
    const bool of_sizes =
        !node->inputs().empty() && sizes_.count(node->input(0)) != 0;
    if (of_sizes && node->kind() == c10::prim::ListUnpack) {
      counts_.insert(node->outputs()[0]);
    } else if (of_sizes && node->kind() == c10::aten::__getitem__) {
      if (IsZero(node->input(1))) counts_.insert(node->output());
    } else if (node->kind() == c10::aten::len &&
               node->input(0)->type()->isSubtypeOf(*c10::TensorType::get())) {
      if (!IsAttribute(node->input(0))) counts_.insert(node->output());
    } else if (ComesFromCount(node)) {
      for (const Value* output : node->outputs()) {
        if (output->type()->isSubtypeOf(*c10::NumberType::get()) ||
            output->type()->isSubtypeOf(*c10::BoolType::get())) {
          counts_.insert(output);
        }
      }
    }
  }

  bool ComesFromCount(const Node* node) const {
    for (const Value* input : node->inputs()) {
      if (counts_.count(input) != 0) return true;
    }
    return false;
  }

  // A weight, whose sizes are the same for every batch.
  bool IsAttribute(const Value* value) const {
    return value != image_ && value->node()->kind() == c10::prim::Param &&
           value->node()->owningBlock()->owningNode() == nullptr;
  }

  const Value* const image_;
  std::unordered_set<const Value*> sizes_;   // lists of all of a tensor's
  std::unordered_set<const Value*> counts_;  // what follows from a first one
};

}  // namespace

std::string NumberReadFromImages(const MarkedGraph& marked) {
  Trail trail(ImageOf(marked));
  trail.Follow(marked.graph->block());
  return trail.reader();
}

bool GoesByNumberOfImages(const MarkedGraph& marked) {
  return CountTrail(ImageOf(marked)).Decides(marked.graph->block());
}

}  // namespace saliency
