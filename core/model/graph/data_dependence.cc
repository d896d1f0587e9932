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

}  // namespace

std::string NumberReadFromImages(const MarkedGraph& marked) {
  const auto inputs = marked.graph->inputs();
  Value* const image = inputs[inputs.size() - marked.attributes.size() - 1];
  Trail trail(image);
  trail.Follow(marked.graph->block());
  return trail.reader();
}

}  // namespace saliency
