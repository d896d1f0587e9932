#include "core/model/rules/operator_family.h"

#include <torch/csrc/jit/ir/ir.h>

#include <string>
#include <unordered_map>

#include "absl/strings/match.h"
#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using Family = OperatorFamily;

// By the name without "aten::" and without the "_" of operators in place.
const std::unordered_map<std::string, Family>& FamiliesByName() {
  static const auto* const families = [] {
    auto* table = new std::unordered_map<std::string, Family>;
    const auto add = [&](Family family,
                         std::initializer_list<const char*> names) {
      for (const char* name : names) (*table)[name] = family;
    };
    add(Family::kMoves, {"__getitem__",
                         "alias",
                         "append",
                         "cat",
                         "channel_shuffle",
                         "chunk",
                         "clone",
                         "concat",
                         "constant_pad_nd",
                         "contiguous",
                         "detach",
                         "dropout",
                         "expand",
                         "expand_as",
                         "feature_dropout",
                         "flatten",
                         "flip",
                         "index_select",
                         "movedim",
                         "narrow",
                         "numpy_T",
                         "pad",
                         "permute",
                         "pixel_shuffle",
                         "pixel_unshuffle",
                         "reflection_pad2d",
                         "repeat",
                         "replication_pad2d",
                         "reshape",
                         "reshape_as",
                         "roll",
                         "select",
                         "slice",
                         "split",
                         "split_with_sizes",
                         "squeeze",
                         "stack",
                         "swapaxes",
                         "t",
                         "to",
                         "transpose",
                         "type_as",
                         "unbind",
                         "unflatten",
                         "unsqueeze",
                         "upsample_nearest2d",
                         "view",
                         "view_as"});
    add(Family::kAverages,
        {"adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d",
         "avg_pool2d", "mean", "sum", "upsample_bilinear2d"});
    add(Family::kBatchNorm, {"batch_norm"});
    add(Family::kLayerNorm, {"layer_norm"});
    add(Family::kAdds, {"add", "sub", "__iadd__", "__isub__"});
    add(Family::kMaxPool,
        {"adaptive_max_pool2d", "max_pool2d", "max_pool2d_with_indices"});
    add(Family::kActivation, {"celu", "elu", "gelu", "hardshrink", "hardswish",
                              "hardtanh", "leaky_relu", "mish", "prelu", "selu",
                              "silu", "softshrink", "softsign", "tanh"});
    add(Family::kGate, {"hardsigmoid", "log_sigmoid", "sigmoid", "softplus"});
    add(Family::kSoftmax, {"softmax"});
    return table;
  }();
  return *families;
}

std::string BareName(const NodeView& node) {
  std::string name = node.name();
  if (!absl::StartsWith(name, "aten::")) return name;
  name = name.substr(6);
  if (absl::EndsWith(name, "_") && !absl::StartsWith(name, "__")) {
    name.pop_back();
  }
  return name;
}

// Clamps, hardtanh and relu6 that end at 0 below.
bool IsRelu(const NodeView& node, const std::string& name) {
  if (name == "relu" || name == "relu6") return true;
  if (name == "hardtanh") return node.Number("min_val") == 0.0;
  return (name == "clamp" || name == "clip" || name == "clamp_min") &&
         node.Number("min") == 0.0;
}

// What holds lists and tuples together, and the operators of this room.
bool IsBookkeeping(const NodeView& node) {
  return absl::StartsWith(node.name(), "prim::") ||
         (absl::StartsWith(node.name(), "saliency::"));
}

bool TakesTwo(const NodeView& node) {
  return node.IsActivation(0) && node.IsActivation(1);
}

Family FamilyOfProduct(const NodeView& node, const std::string& name) {
  const bool is_quotient = name == "div" || name == "__itruediv__";
  if (TakesTwo(node)) {
    return is_quotient ? Family::kOther : Family::kMultiplies;
  }
  if (is_quotient && !node.IsActivation(0)) return Family::kOther;
  return node.Constant("rounding_mode") &&
                 !node.Constant("rounding_mode")->isNone()
             ? Family::kOther
             : Family::kScales;
}

}  // namespace

bool WritesInPlace(const NodeView& node) {
  return WritesFirstInput(node.node());
}

std::optional<WeightedArguments> ReadWeighted(const NodeView& node) {
  const auto only = [&](const WeightedArguments& arguments)
      -> std::optional<WeightedArguments> {
    const bool is_x_alone =
        node.activations() == std::vector<std::size_t>{arguments.x};
    return is_x_alone ? std::optional(arguments) : std::nullopt;
  };
  if (node.IsOneOf({"aten::conv1d", "aten::conv2d", "aten::_convolution",
                    "aten::convolution", "aten::_convolution_mode",
                    "aten::conv_transpose1d", "aten::conv_transpose2d"})) {
    return only({.x = 0, .weight = 1, .bias = 2, .is_convolution = true});
  }
  if (node.IsOneOf({"aten::linear"})) {
    return only({.x = 0, .weight = 1, .bias = 2});
  }
  if (node.IsOneOf({"aten::addmm"})) {
    return only({.x = 1, .weight = 2, .bias = 0});
  }
  if (node.IsOneOf({"aten::matmul", "aten::mm", "aten::bmm"})) {
    return node.IsActivation(0) ? only({.x = 0, .weight = 1})
                                : only({.x = 1, .weight = 0});
  }
  return std::nullopt;
}

OperatorFamily FamilyOf(const NodeView& node) {
  if (node.activations().empty() || !node.MakesActivations()) {
    return Family::kNone;
  }
  // Lists that are put together, as [a] + [b].
  const bool makes_list =
      node.node()->output(0)->type()->kind() == c10::TypeKind::ListType;
  if (IsBookkeeping(node)) return Family::kMoves;
  if (ReadWeighted(node)) return Family::kWeighted;
  const std::string name = BareName(node);
  if (IsRelu(node, name)) return Family::kRelu;
  if (name == "mul" || name == "div" || name == "__imul__" ||
      name == "__itruediv__") {
    return FamilyOfProduct(node, name);
  }
  if (name == "matmul" || name == "bmm" || name == "mm") {
    return Family::kMatrixProduct;
  }
  const auto found = FamiliesByName().find(name);
  if (found == FamiliesByName().end()) return Family::kOther;
  if (found->second == Family::kAdds && makes_list) return Family::kMoves;
  // Batch statistics, weights that come of the image.
  const bool is_odd = (found->second == Family::kBatchNorm ||
                       found->second == Family::kActivation) &&
                      node.activations() != std::vector<std::size_t>{0};
  return is_odd ? Family::kOther : found->second;
}

}  // namespace saliency
