#include "core/model/rules/apply_rule.h"

#include <torch/script.h>

#include <deque>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/near_names.h"
#include "core/model/graph/node_kind.h"
#include "core/model/rules/deep_lift_rules.h"
#include "core/model/rules/excitation_rules.h"
#include "core/model/rules/lrp_rules.h"
#include "core/model/rules/node_view.h"
#include "core/model/rules/operator_family.h"
#include "core/model/rules/relu_rules.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// The value that is explained.
const Value* ExplainedValue(const Graph& graph, const RuleGround& ground) {
  const Value* output = graph.outputs().at(0);
  const Node* node = output->node();
  const auto parts = node->inputs();
  if (node->kind() == c10::prim::DictConstruct) {
    for (size_t i = 0; i + 1 < parts.size(); i += 2) {
      const auto name = torch::jit::toIValue(parts[i]);
      if (name && name->isString() &&
          name->toStringRef() == ground.output_key) {
        return parts[i + 1];
      }
    }
  }
  const bool has_parts = node->kind() == c10::prim::TupleConstruct ||
                         node->kind() == c10::prim::ListConstruct;
  const auto index = static_cast<size_t>(ground.output_index.value_or(0));
  return has_parts && index < parts.size() ? parts[index] : output;
}

// The last operator with weights that the scores come from, behind what only
// moves them, averages them or cuts them off; null: they come from something
// else.
const Node* LastWeighted(const Graph& graph, const ActivationFlow& flow,
                         const RuleGround& ground) {
  const Value* value = ExplainedValue(graph, ground);
  while (true) {
    const NodeView node(value->node(), flow);
    switch (FamilyOf(node)) {
      case OperatorFamily::kWeighted:
        return value->node();
      case OperatorFamily::kMoves:
      case OperatorFamily::kAverages:
      case OperatorFamily::kMaxPool:
      case OperatorFamily::kRelu:
        break;
      default:
        return nullptr;
    }
    if (node.activations().size() != 1 || !value->node()->blocks().empty()) {
      return nullptr;
    }
    value = value->node()->input(node.activations()[0]);
  }
}

// Whether the node's activation is the image as it is.
bool TakesImage(const Graph& graph, const NodeView& node) {
  if (node.activations().size() != 1) return false;
  const Value* value = node.node()->input(node.activations()[0]);
  while (value != graph.inputs().at(0)) {
    const Node* from = value->node();
    const bool is_same =
        IsOp(from, kMarkOp) || IsOp(from, kVirtualIdentityOp) ||
        IsOp(from, kExpandRowsOp) || IsOp(from, "aten::contiguous") ||
        IsOp(from, "aten::to");
    if (!is_same) return false;
    value = from->input(0);
  }
  return true;
}

// How a rule treats the operators of one graph.
class RuledGraph {
 public:
  RuledGraph(const BackwardRule& rule, const RuleGround& ground,
             const Graph& graph)
      : rule_(rule), ground_(ground), graph_(graph), flow_(graph) {
    if (rule.kind == BackwardRule::Kind::kContrastiveExcitation) {
      last_ = LastWeighted(graph, flow_, ground);
    }
  }

  const ActivationFlow& flow() const { return flow_; }
  // Contrastive excitation backprop has something to contrast.
  bool HasContrast() const {
    return rule_.kind != BackwardRule::Kind::kContrastiveExcitation ||
           last_ != nullptr;
  }

  Treatment Treat(const Node* node) const {
    const NodeView view(node, flow_);
    Treatment treatment = TreatByRule(view);
    if (treatment.kind != Treatment::Kind::kRuled) return treatment;
    if (WritesInPlace(view)) return Treatment::Refused("which writes in place");
    // The operators of a reference run have to be those of the other.
    if (rule_.has_reference() && node->owningBlock() != graph_.block()) {
      return Treatment::Refused("which stands in a branch or a loop");
    }
    return treatment;
  }

 private:
  Treatment TreatByRule(const NodeView& view) const {
    switch (rule_.kind) {
      case BackwardRule::Kind::kGradient:
        return Treatment::Plain();
      case BackwardRule::Kind::kDeconvnet:
      case BackwardRule::Kind::kGuidedBackprop:
        return TreatByReluRule(rule_, view);
      case BackwardRule::Kind::kExcitation:
      case BackwardRule::Kind::kContrastiveExcitation:
        return TreatByExcitation(rule_, view, view.node() == last_);
      case BackwardRule::Kind::kLrpEpsilon:
      case BackwardRule::Kind::kLrpGamma:
      case BackwardRule::Kind::kLrpAlphaBeta:
      case BackwardRule::Kind::kLrpComposite:
        return TreatByLrp(rule_, view, flow_, TakesImage(graph_, view),
                          ground_.pixels);
      case BackwardRule::Kind::kDeepLift:
        return TreatByDeepLift(rule_, view);
    }
    return Treatment::Plain();  // no other value is made
  }

  const BackwardRule& rule_;
  const RuleGround& ground_;
  const Graph& graph_;
  const ActivationFlow flow_;
  const Node* last_ = nullptr;
};

using Treatments = std::vector<std::pair<Node*, Treatment>>;

void FindRuled(const RuledGraph& ruled, Block* block, Treatments& found) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) FindRuled(ruled, inner, found);
    Treatment treatment = ruled.Treat(node);
    if (treatment.kind != Treatment::Kind::kRuled) continue;
    found.emplace_back(node, std::move(treatment));
  }
}

// `site` is its number in the table of `run`.
void PutRuledOp(Node* node, Value* run, int64_t site) {
  Graph& graph = *node->owningGraph();
  torch::jit::WithInsertPoint guard(node);
  std::vector<Value*> inputs = {run, graph.insertConstant(site)};
  inputs.insert(inputs.end(), node->inputs().begin(), node->inputs().end());
  Node* ruled = graph.insertNode(
      graph.create(c10::Symbol::fromQualString(kRuledOp), inputs));
  ruled->output()->setType(c10::TensorType::get());
  node->output()->replaceAllUsesWith(ruled->output());
  node->destroy();
}

// The first layer that is marked at or behind the node, and whether it is the
// node's own result.
std::string Whereabouts(const MarkedGraph& marked, const Node* node) {
  std::unordered_set<const Node*> seen = {node};
  std::deque<const Node*> pending = {node};
  while (!pending.empty()) {
    const Node* at = pending.front();
    pending.pop_front();
    for (const Value* output : at->outputs()) {
      for (const torch::jit::Use& use : output->uses()) {
        if (IsMark(use.user)) {
          const auto id = torch::jit::toIValue(use.user->input(1))->toInt();
          const Probe& probe = marked.marks[id].probe;
          if (probe.side == Probe::Side::kOutput) {
            return absl::StrCat(at == node ? " of" : " in front of",
                                " layer \"", Printable(probe.layer), "\"");
          }
        }
        if (seen.insert(use.user).second) pending.push_back(use.user);
      }
    }
  }
  return "";
}

std::string OperatorText(const MarkedGraph& marked, const NodeView& node) {
  const absl::string_view name = node.name();
  return absl::StrCat(
      "operator ",
      absl::StripPrefix(absl::StripPrefix(name, "aten::"), "prim::"),
      Whereabouts(marked, node.node()));
}

std::string FirstRefusal(const RuledGraph& ruled, const MarkedGraph& marked,
                         const Block* block) {
  for (const Node* node : block->nodes()) {
    for (const Block* inner : node->blocks()) {
      std::string refusal = FirstRefusal(ruled, marked, inner);
      if (!refusal.empty()) return refusal;
    }
    const Treatment treatment = ruled.Treat(node);
    if (treatment.kind == Treatment::Kind::kRefused) {
      return absl::StrCat(OperatorText(marked, NodeView(node, ruled.flow())),
                          ", ", treatment.why);
    }
  }
  return "";
}

}  // namespace

std::shared_ptr<const RuleTable> ApplyRule(const BackwardRule& rule,
                                           const RuleGround& ground,
                                           Graph& graph) {
  RegisterRuledOp();
  // All are found before the first is replaced: what is known of values is
  // known by their addresses.
  Treatments found;
  FindRuled(RuledGraph(rule, ground, graph), graph.block(), found);
  Value* run = graph.addInput("rules")->setType(c10::AnyType::get());
  RuleTable table;
  for (auto& [node, treatment] : found) {
    const auto site = static_cast<int64_t>(table.size());
    table.push_back({.run = node->getOperation(),
                     .rule = std::move(treatment.rule),
                     .activations = std::move(treatment.activations)});
    PutRuledOp(node, run, site);
  }
  return std::make_shared<const RuleTable>(std::move(table));
}

std::string WhyRuleRefused(const BackwardRule& rule, const RuleGround& ground,
                           const MarkedGraph& marked) {
  if (rule.is_gradient()) return "";
  const RuledGraph ruled(rule, ground, *marked.graph);
  std::string refusal = FirstRefusal(ruled, marked, marked.graph->block());
  if (!refusal.empty() || ruled.HasContrast()) return refusal;
  return "scores that come from no linear layer";
}

}  // namespace saliency
