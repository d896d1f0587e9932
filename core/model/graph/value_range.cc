#include "core/model/graph/value_range.h"

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Node;
using torch::jit::Value;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kDeepest = 64;  // operators; what lies further back is unknown

ValueRange Of(const Value* value, int depth);

// "relu" for aten::relu and aten::relu_; empty: none of aten.
std::string NameOf(const Node* node) {
  absl::string_view name = node->kind().toQualString();
  if (!absl::ConsumePrefix(&name, "aten::")) return "";
  absl::ConsumeSuffix(&name, "_");
  return std::string(name);
}

ValueRange Hull(const ValueRange& a, const ValueRange& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

// 0 times infinity is 0: the infinite end is not reached.
double Times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

ValueRange Product(const ValueRange& a, const ValueRange& b) {
  const auto ends = {Times(a.low, b.low), Times(a.low, b.high),
                     Times(a.high, b.low), Times(a.high, b.high)};
  return {std::min(ends), std::max(ends)};
}

ValueRange Inverse(const ValueRange& of) {
  if (of.low < 0 && of.high > 0) return {};
  if (of.low >= 0) {
    return {1 / of.high, of.low == 0 ? kInfinity : 1 / of.low};
  }
  return {of.high == 0 ? -kInfinity : 1 / of.high, 1 / of.low};
}

ValueRange Limited(const ValueRange& of, double low, double high) {
  return {std::clamp(of.low, low, high), std::clamp(of.high, low, high)};
}

// The argument as a constant number; `otherwise` for None or where it is not
// there, NaN where it is not constant.
double Number(const Node* node, size_t index, double otherwise) {
  if (index >= node->inputs().size()) return otherwise;
  const auto constant = torch::jit::toIValue(node->input(index));
  if (!constant) return std::nan("");
  if (constant->isNone()) return otherwise;
  return constant->isScalar() ? constant->toScalar().toDouble() : std::nan("");
}

ValueRange Constant(const c10::IValue& value) {
  if (value.isScalar()) {
    const double number = value.toScalar().toDouble();
    return {number, number};
  }
  if (!value.isTensor() || !value.toTensor().defined() ||
      value.toTensor().numel() == 0 || value.toTensor().is_complex() ||
      value.toTensor().is_quantized()) {
    return {};
  }
  const at::Tensor numbers = value.toTensor().to(at::kDouble);
  return {numbers.min().item<double>(), numbers.max().item<double>()};
}

// a + sign * alpha * b.
ValueRange Sum(const Node* node, double sign, int depth) {
  const double alpha = Number(node, 2, 1);
  if (std::isnan(alpha)) return {};
  const ValueRange a = Of(node->input(0), depth);
  const ValueRange b =
      Product(Of(node->input(1), depth), {sign * alpha, sign * alpha});
  return {a.low + b.low, a.high + b.high};
}

ValueRange OfParts(const Node* list, int depth) {
  if (list->kind() != c10::prim::ListConstruct || list->inputs().empty()) {
    return {};
  }
  ValueRange all = Of(list->input(0), depth);
  for (const Value* part : list->inputs()) all = Hull(all, Of(part, depth));
  return all;
}

ValueRange Clamped(const Node* node, const std::string& name, int depth) {
  const bool only_high = name == "clamp_max";
  const double low = only_high ? -kInfinity : Number(node, 1, -kInfinity);
  const double high = name == "clamp_min"
                          ? kInfinity
                          : Number(node, only_high ? 1 : 2, kInfinity);
  if (std::isnan(low) || std::isnan(high) || low > high) return {};
  return Limited(Of(node->input(0), depth), low, high);
}

// Operators on each number that have bounds of their own.
std::optional<ValueRange> OwnBounds(const std::string& name) {
  static const std::set<std::string> unit = {"sigmoid", "softmax", "_softmax",
                                             "hardsigmoid", "special_expit"};
  static const std::set<std::string> around_zero = {"tanh", "sin", "cos", "erf",
                                                    "sign"};
  static const std::set<std::string> not_negative = {
      "softplus",           "abs", "square", "norm", "linalg_norm",
      "linalg_vector_norm", "sqrt"};
  if (unit.count(name) != 0) return ValueRange{0, 1};
  if (around_zero.count(name) != 0) return ValueRange{-1, 1};
  if (not_negative.count(name) != 0) return ValueRange{0, kInfinity};
  if (name == "relu6") return ValueRange{0, 6};
  return std::nullopt;
}

ValueRange OfOperator(const Node* node, int depth) {
  const std::string name = NameOf(node);
  if (const auto bounds = OwnBounds(name)) return *bounds;
  if (name == "cat" || name == "stack") {
    return OfParts(node->input(0)->node(), depth);
  }
  if (name == "where" && node->inputs().size() == 3) {
    return Hull(Of(node->input(1), depth), Of(node->input(2), depth));
  }
  if (name == "add") return Sum(node, 1, depth);
  if (name == "sub") return Sum(node, -1, depth);
  if (absl::StartsWith(name, "clamp") || name == "hardtanh") {
    return Clamped(node, name, depth);
  }
  static const std::set<std::string> averages = {"mean",
                                                 "amax",
                                                 "amin",
                                                 "adaptive_avg_pool2d",
                                                 "adaptive_max_pool2d",
                                                 "max_pool2d",
                                                 "upsample_bilinear2d",
                                                 "upsample_nearest2d"};
  static const std::set<std::string> others = {
      "relu", "exp", "neg", "rsub", "reciprocal", "mul", "div", "avg_pool2d"};
  if (averages.count(name) == 0 && others.count(name) == 0) return {};
  const ValueRange x = Of(node->input(0), depth);
  if (name == "relu") return Limited(x, 0, kInfinity);
  if (name == "exp") return {std::exp(x.low), std::exp(x.high)};
  if (name == "neg") return {-x.high, -x.low};
  if (name == "reciprocal") return Inverse(x);
  if (name == "avg_pool2d") return Hull(x, {0, 0});  // of padding, too
  if (averages.count(name) != 0) return x;
  const ValueRange y = Of(node->input(1), depth);
  if (name == "mul") return Product(x, y);
  if (name == "div") {
    // div(x, y, rounding_mode) may go further.
    return node->inputs().size() == 2 ? Product(x, Inverse(y)) : ValueRange{};
  }
  // rsub(x, y, alpha) = y - alpha x.
  const double alpha = Number(node, 2, 1);
  if (std::isnan(alpha)) return {};
  const ValueRange less = Product(x, {-alpha, -alpha});
  return {y.low + less.low, y.high + less.high};
}

ValueRange Of(const Value* value, int depth) {
  if (depth == 0) return {};
  if (const auto constant = torch::jit::toIValue(value)) {
    return Constant(*constant);
  }
  const Node* node = value->node();
  if (node->outputs().size() != 1 || node->inputs().empty()) return {};
  const ValueRange range = KeepsNumbers(node) ? Of(node->input(0), depth - 1)
                                              : OfOperator(node, depth - 1);
  return std::isnan(range.low) || std::isnan(range.high) ? ValueRange{} : range;
}

}  // namespace

ValueRange RangeOf(const Value* value) { return Of(value, kDeepest); }

bool KeepsNumbers(const Node* node) {
  if (IsMark(node) || IsOp(node, "prim::data")) return true;
  static const std::set<std::string> names = {
      "alias",     "clone",         "contiguous", "detach",    "dropout",
      "expand",    "flatten",       "float",      "permute",   "reshape",
      "select",    "slice",         "squeeze",    "t",         "to",
      "transpose", "type_as",       "unflatten",  "unsqueeze", "view",
      "view_as",   "_reshape_alias"};
  return names.count(NameOf(node)) != 0;
}

}  // namespace saliency
