#include "core/model/graph/end_activation.h"

#include <torch/script.h>

#include <algorithm>
#include <initializer_list>

#include "core/model/graph/value_range.h"
#include "core/model/probe_ops.h"

namespace saliency {
namespace {

using torch::jit::Node;
using torch::jit::Value;

bool IsOneOf(const Node* node, std::initializer_list<const char*> names) {
  const std::string kind = node->kind().toQualString();
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return kind == name; });
}

bool IsTensor(const Value* value) {
  return value->type()->isSubtypeOf(*c10::TensorType::get());
}

// Null: the graph does not build its result in one place.
const Value* EntryOf(const Node* dict, const std::string& key) {
  for (size_t i = 0; i + 1 < dict->inputs().size(); i += 2) {
    const Value* value = dict->input(i + 1);
    if (!IsTensor(value)) continue;
    if (key.empty()) return value;
    const auto name = torch::jit::toIValue(dict->input(i));
    if (name && name->isString() && name->toStringRef() == key) return value;
  }
  return nullptr;
}

// The value that SelectOutput will pick; null where the graph does not tell.
const Value* ChosenOutput(const MarkedGraph& marked, std::optional<int> index,
                          const std::string& key) {
  const Value* result = marked.graph->outputs().at(0);
  const Node* node = result->node();
  if (IsOneOf(node, {"prim::DictConstruct"})) return EntryOf(node, key);
  if (!IsOneOf(node, {"prim::TupleConstruct", "prim::ListConstruct"})) {
    return IsTensor(result) ? result : nullptr;
  }
  if (index.has_value()) {
    const bool exists =
        *index >= 0 && *index < static_cast<int>(node->inputs().size());
    return exists ? node->input(*index) : nullptr;
  }
  const auto parts = node->inputs();
  const auto first = std::find_if(parts.begin(), parts.end(), &IsTensor);
  return first == parts.end() ? nullptr : *first;
}

// What makes probabilities of probabilities: means, maxima and limits of some.
bool KeepsProbabilities(const Node* node) {
  return IsOneOf(
      node, {"aten::adaptive_avg_pool2d", "aten::adaptive_max_pool2d",
             "aten::amax", "aten::avg_pool2d", "aten::clamp", "aten::clamp_max",
             "aten::clamp_min", "aten::max_pool2d", "aten::mean",
             "aten::upsample_bilinear2d", "aten::upsample_nearest2d"});
}

EndActivation ActivationBehind(const Value* value);

// Of several parts joined: what all of them are.  Parts that each sum to 1 do
// not together.
EndActivation OfAllParts(const Node* join) {
  const Node* list = join->input(0)->node();
  if (!IsOneOf(list, {"prim::ListConstruct"}) || list->inputs().empty()) {
    return EndActivation::kNone;
  }
  const EndActivation first = ActivationBehind(list->input(0));
  for (const Value* part : list->inputs()) {
    if (ActivationBehind(part) != first) return EndActivation::kNone;
  }
  if (first == EndActivation::kSoftmax) return EndActivation::kSigmoid;
  if (first == EndActivation::kLogSoftmax) return EndActivation::kLogSigmoid;
  return first;
}

EndActivation Exponential(EndActivation of) {
  switch (of) {
    case EndActivation::kLogSoftmax:
      return EndActivation::kSoftmax;
    case EndActivation::kLogSigmoid:
      return EndActivation::kSigmoid;
    default:
      return EndActivation::kNone;
  }
}

EndActivation Logarithm(EndActivation of) {
  switch (of) {
    case EndActivation::kSoftmax:
      return EndActivation::kLogSoftmax;
    case EndActivation::kSigmoid:
      return EndActivation::kLogSigmoid;
    default:
      return EndActivation::kNone;
  }
}

EndActivation ActivationBehind(const Value* value) {
  bool averaged = false;
  const Node* node = value->node();
  while (KeepsNumbers(node) || KeepsProbabilities(node)) {
    averaged = averaged || KeepsProbabilities(node);
    node = node->input(0)->node();
  }
  EndActivation found = EndActivation::kNone;
  if (IsOneOf(node, {"aten::softmax", "aten::_softmax", "aten::softmax_"})) {
    found = EndActivation::kSoftmax;
  } else if (IsOneOf(node, {"aten::log_softmax", "aten::_log_softmax"})) {
    found = EndActivation::kLogSoftmax;
  } else if (IsOneOf(node,
                     {"aten::sigmoid", "aten::sigmoid_", "aten::special_expit",
                      "aten::hardsigmoid", "aten::hardsigmoid_"})) {
    found = EndActivation::kSigmoid;
  } else if (IsOneOf(node, {"aten::log_sigmoid"})) {
    found = EndActivation::kLogSigmoid;
  } else if (IsOneOf(node, {"aten::exp", "aten::exp_"})) {
    found = Exponential(ActivationBehind(node->input(0)));
  } else if (IsOneOf(node, {"aten::log", "aten::log_"})) {
    found = Logarithm(ActivationBehind(node->input(0)));
  } else if (IsOneOf(node, {"aten::cat", "aten::stack"})) {
    found = OfAllParts(node);
  }
  const bool is_log = found == EndActivation::kLogSoftmax ||
                      found == EndActivation::kLogSigmoid;
  // The mean of logarithms is that of no probability.
  return averaged && is_log ? EndActivation::kNone : found;
}

}  // namespace

EndActivation FindEndActivation(const MarkedGraph& marked,
                                std::optional<int> index,
                                const std::string& key) {
  const Value* output = ChosenOutput(marked, index, key);
  if (output == nullptr) return EndActivation::kNone;
  const EndActivation named = ActivationBehind(output);
  if (named != EndActivation::kNone) return named;
  const ValueRange range = RangeOf(output);
  if (range.low < 0) return EndActivation::kNone;
  return range.high <= 1 ? EndActivation::kUnitInterval
                         : EndActivation::kNonNegative;
}

}  // namespace saliency
