#include "core/model/meta/meta_sites.h"

#include <torch/script.h>

#include <string>

#include "core/model/graph/graph_facts.h"
#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Node;
using torch::jit::Value;

// Graph inputs: the image, then the attributes.
constexpr size_t kFirstAttribute = 1;

bool IsNone(const Value* value) {
  return value->node()->kind() == c10::prim::Constant && value->mustBeNone();
}

class SiteFinder {
 public:
  explicit SiteFinder(const MarkedGraph& marked)
      : marked_(marked),
        count_(static_cast<int>(marked.attributes.size())),
        uses_seen_(count_, 0) {}

  std::optional<ParameterizedOps> Find() {
    ParameterizedOps found;
    found.of_attribute.assign(count_, -1);
    for (const Node* node : marked_.graph->block()->nodes()) {
      const std::optional<ParameterizedOp> site = ReadSite(node);
      if (!site || !Moves(*site)) continue;
      const int id = static_cast<int>(found.sites.size());
      for (const int operand : {site->weight, site->bias}) {
        if (operand < 0) continue;
        uses_seen_[operand] += 1;
        found.of_attribute[operand] = id;
      }
      found.sites.push_back(*site);
    }
    if (!EveryUseIsSeen()) return std::nullopt;
    return found;
  }

 private:
  bool IsParameter(int attribute) const {
    return attribute >= 0 && marked_.parameter[attribute] >= 0;
  }
  bool Moves(const ParameterizedOp& site) const {
    return IsParameter(site.weight) || IsParameter(site.bias);
  }

  // Each parameter that is used at all is one attribute, used once, by a site.
  bool EveryUseIsSeen() const {
    for (int i = 0; i < count_; ++i) {
      if (!IsParameter(i)) continue;
      const size_t uses = Uses(marked_.graph->inputs()[kFirstAttribute + i]);
      if (uses == 0) continue;
      const bool is_tied = marked_.parameter[i] != i;
      if (is_tied || uses != 1 || uses_seen_[i] != 1) return false;
    }
    return true;
  }

  static size_t Uses(const Value* value) {
    size_t uses = 0;
    for (const torch::jit::Use& use : value->uses()) {
      uses += IsOp(use.user, "aten::t") ? Uses(use.user->output()) : 1;
    }
    return uses;
  }

  // Sets `attribute`; false when the operand is neither an attribute nor None.
  bool ReadOperand(const Node* node, size_t input, int& attribute) const {
    const Value* value = node->input(input);
    attribute = AttributeIndex(value, count_);
    const bool is_plain = attribute < 0 || !IsOp(value->node(), "aten::t");
    return is_plain &&
           (attribute >= 0 ? IsFloatTensor(attribute) : IsNone(value));
  }

  bool IsFloatTensor(int attribute) const {
    const c10::IValue& value = marked_.attributes[attribute];
    return value.isTensor() && value.toTensor().is_floating_point();
  }

  std::optional<ParameterizedOp> ReadSite(const Node* node) const {
    if (IsOp(node, "aten::conv2d") || IsOp(node, "aten::_convolution") ||
        IsOp(node, "aten::convolution")) {
      return ReadConvSite(node);
    }
    if (IsOp(node, "aten::batch_norm")) return ReadBatchNorm(node);
    if (IsOp(node, "aten::linear")) return ReadLinear(node, 0, 1, 2);
    if (IsOp(node, "aten::matmul") || IsOp(node, "aten::mm")) {
      return ReadLinear(node, 0, 1, -1);
    }
    if (IsOp(node, "aten::addmm") && IsConstantOne(node->input(3)) &&
        IsConstantOne(node->input(4))) {
      return ReadLinear(node, 1, 2, 0);
    }
    if (IsOp(node, "aten::add") && node->inputs().size() == 3 &&
        IsConstantOne(node->input(2))) {
      return ReadBias(node);
    }
    return std::nullopt;
  }

  std::optional<ParameterizedOp> ReadConvSite(const Node* node) const {
    ParameterizedOp site = {.kind = ParameterizedOp::Kind::kConv};
    const auto geometry = ReadConv(marked_, node);
    if (!geometry || geometry->padding_before != geometry->padding_after ||
        !ReadOperand(node, 1, site.weight) ||
        !ReadOperand(node, 2, site.bias)) {
      return std::nullopt;
    }
    site.geometry = *geometry;
    return site;
  }

  std::optional<ParameterizedOp> ReadBatchNorm(const Node* node) const {
    ParameterizedOp site = {.kind = ParameterizedOp::Kind::kBatchNorm};
    const auto eps = EvalBatchNormEps(node);
    if (!eps || !ReadOperand(node, 1, site.weight) ||
        !ReadOperand(node, 2, site.bias) || !ReadOperand(node, 3, site.mean) ||
        !ReadOperand(node, 4, site.variance) || site.mean < 0 ||
        site.variance < 0) {
      return std::nullopt;
    }
    site.eps = *eps;
    return site;
  }

  // `bias` -1: the operator has none.  aten::linear's weight is [K,F]; a
  // product's is [F,K] unless it is transposed on the way.
  std::optional<ParameterizedOp> ReadLinear(const Node* node, int x, int weight,
                                            int bias) const {
    ParameterizedOp site = {.kind = ParameterizedOp::Kind::kLinear,
                            .x_operand = x};
    const Value* value = node->input(weight);
    site.weight = AttributeIndex(value, count_);
    const bool by_t = IsOp(value->node(), "aten::t");
    site.weight_is_transposed = !IsOp(node, "aten::linear") && !by_t;
    if (site.weight < 0 || (by_t && IsOp(node, "aten::linear")) ||
        !IsFloatTensor(site.weight) ||
        marked_.attributes[site.weight].toTensor().dim() != 2 ||
        (bias >= 0 && !ReadOperand(node, bias, site.bias))) {
      return std::nullopt;
    }
    if (site.bias >= 0 && marked_.attributes[site.bias].toTensor().dim() != 1) {
      return std::nullopt;
    }
    return site;
  }

  std::optional<ParameterizedOp> ReadBias(const Node* node) const {
    for (const int operand : {1, 0}) {
      ParameterizedOp site = {.kind = ParameterizedOp::Kind::kBias,
                              .x_operand = 1 - operand};
      if (ReadOperand(node, operand, site.bias) && site.bias >= 0 &&
          marked_.attributes[site.bias].toTensor().dim() == 1) {
        return site;
      }
    }
    return std::nullopt;
  }

  const MarkedGraph& marked_;
  const int count_;
  std::vector<int> uses_seen_;
};

}  // namespace

std::optional<ParameterizedOps> FindMetaSites(const MarkedGraph& marked) {
  if (marked.overwrites_tensors) return std::nullopt;
  return SiteFinder(marked).Find();
}

int AttributeIndex(const Value* value, int num_attributes) {
  if (IsOp(value->node(), "aten::t")) value = value->node()->input(0);
  const auto inputs = value->owningGraph()->inputs();
  for (int i = 0; i < num_attributes; ++i) {
    if (inputs[kFirstAttribute + i] == value) return i;
  }
  return -1;
}

}  // namespace saliency
