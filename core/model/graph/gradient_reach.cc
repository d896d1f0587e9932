#include "core/model/graph/gradient_reach.h"

#include <torch/script.h>

#include <algorithm>
#include <deque>
#include <set>
#include <unordered_set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/status.h"
#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;
using ValueSet = std::unordered_set<const Value*>;

bool CarriesTensors(const c10::Type& type) {
  const c10::TypeKind kind = type.kind();
  if (kind == c10::TypeKind::TensorType || kind == c10::TypeKind::AnyType ||
      kind == c10::TypeKind::ClassType) {
    return true;
  }
  for (const auto& contained : type.containedTypes()) {
    if (CarriesTensors(*contained)) return true;
  }
  return false;
}

// A cast to a type that has no gradients.
bool CastsToInteger(const Node* node) {
  if (node->kind() != c10::aten::to) return false;
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return false;
  const auto index = schema->argumentIndexWithName("dtype");
  if (!index) return false;
  const auto dtype = torch::jit::toIValue(node->input(*index));
  if (!dtype || !dtype->isInt()) return false;
  const auto type = static_cast<at::ScalarType>(dtype->toInt());
  return !at::isFloatingType(type) && !at::isComplexType(type);
}

// Gradients end at the node.
bool EndsGradients(const Node* node) {
  static const auto* const names = new std::set<std::string>{
      // to end them
      "aten::detach", "aten::detach_", "prim::data",
      // whole numbers and truths
      "aten::argmax", "aten::argmin", "aten::argsort", "aten::bincount",
      "aten::bucketize", "aten::count_nonzero", "aten::eq", "aten::ge",
      "aten::gt", "aten::isfinite", "aten::isinf", "aten::isnan", "aten::le",
      "aten::logical_and", "aten::logical_not", "aten::logical_or",
      "aten::logical_xor", "aten::lt", "aten::ne", "aten::nonzero",
      "aten::one_hot", "aten::searchsorted", "aten::all", "aten::any",
      "aten::_cast_Byte", "aten::_cast_Char", "aten::_cast_Int",
      "aten::_cast_Long", "aten::_cast_Short", "aten::quantize_per_channel",
      "aten::quantize_per_tensor", "aten::quantize_per_tensor_dynamic",
      // steps: the derivative is zero wherever there is one
      "aten::bernoulli", "aten::ceil", "aten::ceil_", "aten::floor",
      "aten::floor_", "aten::floor_divide", "aten::heaviside", "aten::round",
      "aten::round_", "aten::sgn", "aten::sgn_", "aten::sign", "aten::sign_",
      "aten::trunc", "aten::trunc_", "aten::fix",
      // of their argument the size alone counts
      "aten::empty_like", "aten::full_like", "aten::new_empty",
      "aten::new_full", "aten::new_ones", "aten::new_zeros", "aten::ones_like",
      "aten::rand_like", "aten::randint_like", "aten::randn_like",
      "aten::zeros_like"};
  const std::string name = node->kind().toQualString();
  return names->count(name) != 0 || absl::StartsWith(name, "quantized::") ||
         CastsToInteger(node);
}

// Where a maximum is, or where what is sorted was.
bool IsIndices(const Value* value) {
  static const auto* const names =
      new std::set<std::string>{"aten::topk",
                                "aten::sort",
                                "aten::max",
                                "aten::min",
                                "aten::median",
                                "aten::nanmedian",
                                "aten::mode",
                                "aten::kthvalue",
                                "aten::cummax",
                                "aten::cummin",
                                "aten::adaptive_max_pool2d",
                                "aten::max_pool2d_with_indices"};
  const Node* node = value->node();
  return node->outputs().size() == 2 && value->offset() == 1 &&
         names->count(node->kind().toQualString()) != 0;
}

std::string OperatorName(const Node* node) {
  if (CastsToInteger(node)) return "a cast to whole numbers";
  const std::string name = node->kind().toQualString();
  if (name == "aten::detach") return "detach or no_grad";
  return std::string(
      absl::StripPrefix(absl::StripPrefix(name, "aten::"), "prim::"));
}

// Writes to an argument, a tensor or a list: that flows on unseen.
bool WritesToArgument(const Node* node) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return false;
  return std::any_of(schema->arguments().begin(), schema->arguments().end(),
                     [](const c10::Argument& argument) {
                       return argument.alias_info() != nullptr &&
                              argument.alias_info()->isWrite();
                     });
}

void FindWriters(const Block* block, std::vector<const Node*>& writers) {
  for (const Node* node : block->nodes()) {
    if (WritesToArgument(node)) writers.push_back(node);
    for (const Block* inner : node->blocks()) FindWriters(inner, writers);
  }
}

// What `value` is made from, across blocks.
std::vector<const Value*> MadeFrom(const Value* value) {
  const Node* node = value->node();
  // Inputs of an If and a Loop too: whether and how often they run.
  std::vector<const Value*> from(node->inputs().begin(), node->inputs().end());
  const size_t index = value->offset();
  if (node->kind() == c10::prim::If) {
    for (const Block* inner : node->blocks()) {
      from.push_back(inner->outputs()[index]);
    }
  } else if (node->kind() == c10::prim::Loop) {
    from.push_back(node->blocks()[0]->outputs()[0]);
    from.push_back(node->blocks()[0]->outputs()[index + 1]);
  } else if (node->kind() == c10::prim::Param) {
    const Node* owner = node->owningBlock()->owningNode();
    if (owner != nullptr && owner->kind() == c10::prim::Loop && index > 0) {
      from.push_back(owner->input(index + 1));
      from.push_back(node->owningBlock()->outputs()[index]);
    }
  }
  return from;
}

// All that the roots are made from; where `differentiable`, by ways that
// gradients go.
ValueSet Upstream(const std::vector<const Value*>& roots,
                  const std::vector<const Node*>& writers,
                  bool differentiable) {
  ValueSet reached;
  std::deque<const Value*> pending(roots.begin(), roots.end());
  const auto end_at = [&](const Node* node) {
    return differentiable && EndsGradients(node);
  };
  // Whoever writes to something may write to what is explained.
  for (const Node* writer : writers) {
    if (end_at(writer)) continue;
    pending.insert(pending.end(), writer->inputs().begin(),
                   writer->inputs().end());
  }
  while (!pending.empty()) {
    const Value* value = pending.front();
    pending.pop_front();
    const bool counts = !differentiable || CarriesTensors(*value->type());
    if (!counts || !reached.insert(value).second) continue;
    if (end_at(value->node())) continue;
    if (differentiable && IsIndices(value)) continue;
    const std::vector<const Value*> from = MadeFrom(value);
    pending.insert(pending.end(), from.begin(), from.end());
  }
  return reached;
}

// What is made from `value` by this use of it.
std::vector<const Value*> MadeBy(const torch::jit::Use& use) {
  Node* user = use.user;
  std::vector<const Value*> made;
  if (user->kind() == c10::prim::Return) {
    Node* owner = user->owningBlock()->owningNode();
    if (owner != nullptr && owner->kind() == c10::prim::If) {
      made.push_back(owner->outputs()[use.offset]);
    } else if (owner != nullptr && use.offset > 0) {
      made.push_back(owner->outputs()[use.offset - 1]);
      made.push_back(owner->blocks()[0]->inputs()[use.offset]);
    }
    return made;
  }
  if (user->kind() == c10::prim::Loop && use.offset >= 2) {
    made.push_back(user->blocks()[0]->inputs()[use.offset - 1]);
    made.push_back(user->outputs()[use.offset - 2]);
    return made;
  }
  made.assign(user->outputs().begin(), user->outputs().end());
  return made;
}

// The operators that gradients of `value` end at, first met first.
std::vector<std::string> EndsBehind(const Value* start, const ValueSet& used) {
  std::vector<std::string> ends;
  const auto end_at = [&](const std::string& name) {
    if (std::find(ends.begin(), ends.end(), name) == ends.end()) {
      ends.push_back(name);
    }
  };
  ValueSet seen = {start};
  std::deque<const Value*> pending = {start};
  while (!pending.empty()) {
    const Value* value = pending.front();
    pending.pop_front();
    for (const torch::jit::Use& use : value->uses()) {
      bool counts = false;
      std::vector<const Value*> made = MadeBy(use);
      for (const Value* next : made) counts |= used.count(next) != 0;
      if (!counts) continue;
      if (EndsGradients(use.user)) {
        end_at(OperatorName(use.user));
        continue;
      }
      for (const Value* next : made) {
        if (!IsIndices(next)) {
          if (seen.insert(next).second) pending.push_back(next);
        } else if (used.count(next) != 0) {
          end_at(absl::StrCat("the indices of ", OperatorName(use.user)));
        }
      }
    }
  }
  return ends;
}

std::string Because(const Value* value, const ValueSet& used) {
  if (used.count(value) == 0) {
    return "the output that is explained does not depend on it";
  }
  std::vector<std::string> ends = EndsBehind(value, used);
  constexpr size_t kMostNames = 3;
  if (ends.size() > kMostNames) ends.resize(kMostNames);
  if (ends.empty()) return "what the model does behind it has no derivative";
  return absl::StrCat("behind it the model uses ", absl::StrJoin(ends, ", "),
                      ", where gradients end");
}

std::vector<const Value*> Explained(const Value* output,
                                    std::optional<int> index,
                                    const std::string& key) {
  const Node* node = output->node();
  const auto inputs = node->inputs();
  if (node->kind() == c10::prim::DictConstruct) {
    for (size_t i = 0; i + 1 < inputs.size(); i += 2) {
      const auto name = torch::jit::toIValue(inputs[i]);
      if (name && name->isString() &&
          (key.empty() || name->toStringRef() == key)) {
        return {inputs[i + 1]};
      }
    }
    return {output};
  }
  const bool has_parts = node->kind() == c10::prim::TupleConstruct ||
                         node->kind() == c10::prim::ListConstruct;
  if (!has_parts) return {output};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool is_tensor =
        inputs[i]->type()->isSubtypeOf(*c10::TensorType::get());
    if (index ? static_cast<int>(i) == *index : is_tensor) return {inputs[i]};
  }
  return {output};
}

void ForEachNode(const Block* block,
                 const std::function<void(const Node*)>& visit) {
  for (const Node* node : block->nodes()) {
    for (const Block* inner : node->blocks()) ForEachNode(inner, visit);
    visit(node);
  }
}

}  // namespace

absl::Status RefusePrepackedOperators(const MarkedGraph& marked) {
  std::string found;
  ForEachNode(marked.graph->block(), [&](const Node* node) {
    const bool prepacked = absl::EndsWith(
        absl::string_view(node->kind().ns().toUnqualString()), "prepacked");
    if (prepacked && found.empty()) found = node->kind().toQualString();
  });
  if (found.empty()) return absl::OkStatus();
  return Invalid("the model uses operator ", found,
                 ", which is for inference alone and has no gradients, as "
                 "torch.utils.mobile_optimizer.optimize_for_mobile does: "
                 "export the model without it");
}

std::vector<std::string> GradientEnds(const MarkedGraph& marked,
                                      std::optional<int> output_index,
                                      const std::string& output_key) {
  const Block* block = marked.graph->block();
  const std::vector<const Value*> roots =
      Explained(marked.graph->outputs().at(0), output_index, output_key);
  std::vector<const Node*> writers;
  FindWriters(block, writers);
  const ValueSet used = Upstream(roots, writers, /*differentiable=*/false);
  const ValueSet reached = Upstream(roots, writers, /*differentiable=*/true);
  std::vector<std::string> ends(marked.marks.size());
  ForEachNode(block, [&](const Node* mark) {
    if (!IsMark(mark)) return;
    const Value* value = mark->output();
    if (reached.count(value) != 0) return;
    ends[MarkId(mark)] = Because(value, used);
  });
  return ends;
}

}  // namespace saliency
