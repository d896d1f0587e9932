#include "core/model/meta/meta_stages.h"

#include <torch/script.h>

#include <set>
#include <utility>

#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

class StageRewriter {
 public:
  StageRewriter(Graph& graph, const ParameterizedOps& sites)
      : graph_(graph),
        sites_(sites),
        run_(graph.addInput("meta_run")->setType(c10::AnyType::get())) {}

  std::vector<FusedOp> Rewrite() {
    AskRanksOfInputs(graph_.block());
    std::vector<std::pair<Node*, int>> found;  // with its site
    for (Node* node : graph_.block()->nodes()) {
      const int site = SiteOf(node);
      if (site >= 0) found.emplace_back(node, site);
    }
    for (const auto& [node, site] : found) {
      if (taken_.count(node) == 0) MakeStage(node, site);
    }
    return std::move(stages_);
  }

 private:
  // The site whose node this is; -1 for any other.
  int SiteOf(const Node* node) const {
    if (IsOp(node, "aten::t")) return -1;
    for (const Value* input : node->inputs()) {
      const int attribute =
          AttributeIndex(input, static_cast<int>(sites_.of_attribute.size()));
      const int site = attribute < 0 ? -1 : sites_.of_attribute[attribute];
      if (site >= 0) return site;
    }
    return -1;
  }

  // Scripted batch norms check the rank of what they are given: a second look
  // at a convolution's output.  Its input has the same rank.
  void AskRanksOfInputs(Block* block) const {
    for (Node* node : block->nodes()) {
      for (Block* inner : node->blocks()) AskRanksOfInputs(inner);
      if (!IsOp(node, "aten::dim")) continue;
      while (KeepsRank(node->input(0)->node())) {
        node->replaceInput(0, node->input(0)->node()->input(0));
      }
    }
  }

  bool KeepsRank(const Node* node) const {
    const int site = SiteOf(node);
    return site >= 0 &&
           (sites_.sites[site].kind == ParameterizedOp::Kind::kConv ||
            sites_.sites[site].kind == ParameterizedOp::Kind::kBatchNorm);
  }

  // The one node that uses what `node` makes; null when there are more.
  static Node* OnlyUser(const Node* node) {
    const auto& uses = node->output()->uses();
    return uses.size() == 1 ? uses[0].user : nullptr;
  }

  void MakeStage(Node* node, int site) {
    FusedOp stage = {.site = site};
    std::vector<Node*> chain = {node};
    const ParameterizedOp::Kind kind = sites_.sites[site].kind;
    Value* residual = nullptr;
    if (kind == ParameterizedOp::Kind::kConv) {
      TakeNorm(chain, stage);
      residual = TakeAddition(chain);
      stage.has_residual = residual != nullptr;
    }
    if (kind == ParameterizedOp::Kind::kConv ||
        kind == ParameterizedOp::Kind::kBatchNorm) {
      Node* user = OnlyUser(chain.back());
      stage.has_relu = user != nullptr && IsOp(user, "aten::relu") &&
                       user->owningBlock() == graph_.block();
      if (stage.has_relu) chain.push_back(user);
    }
    taken_.insert(chain.begin(), chain.end());
    Replace(chain, node->input(sites_.sites[site].x_operand), residual, stage);
  }

  void TakeNorm(std::vector<Node*>& chain, FusedOp& stage) const {
    Node* user = OnlyUser(chain.back());
    const int site = user != nullptr && IsOp(user, "aten::batch_norm") &&
                             user->owningBlock() == graph_.block()
                         ? SiteOf(user)
                         : -1;
    if (site < 0 || user->input(0) != chain.back()->output()) return;
    stage.norm = site;
    chain.push_back(user);
  }

  // Returns what is added; null when nothing is.
  Value* TakeAddition(std::vector<Node*>& chain) const {
    Node* user = OnlyUser(chain.back());
    if (user == nullptr || !IsOp(user, "aten::add") ||
        user->owningBlock() != graph_.block() || user->inputs().size() != 3 ||
        SiteOf(user) >= 0 || !IsConstantOne(user->input(2))) {
      return nullptr;
    }
    const bool is_first = user->input(0) == chain.back()->output();
    Value* other = user->input(is_first ? 1 : 0);
    if (!other->type()->isSubtypeOf(*c10::TensorType::get())) return nullptr;
    chain.push_back(user);
    return other;
  }

  // Puts the stage where the last node of its chain was.
  void Replace(const std::vector<Node*>& chain, Value* x, Value* residual,
               const FusedOp& stage) {
    torch::jit::WithInsertPoint guard(chain.back());
    if (residual == nullptr) residual = graph_.insertConstant(c10::IValue());
    Value* id = graph_.insertConstant(static_cast<int64_t>(stages_.size()));
    Node* made = graph_.insertNode(graph_.create(
        c10::Symbol::fromQualString(kMetaStageOp), {run_, id, x, residual}));
    made->output()->setType(c10::TensorType::get());
    chain.back()->output()->replaceAllUsesWith(made->output());
    for (size_t i = chain.size(); i-- > 0;) chain[i]->destroy();
    stages_.push_back(stage);
  }

  Graph& graph_;
  const ParameterizedOps& sites_;
  Value* const run_;
  std::vector<FusedOp> stages_;
  std::set<const Node*> taken_;  // into some stage; they no longer exist
};

void ViewsToReshapes(Block* block, Graph& graph) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) ViewsToReshapes(inner, graph);
    // view(x, int[]) only: view(x, dtype) is another operator.
    if (!IsOp(node, "aten::view") ||
        !node->input(1)->type()->isSubtypeOf(*c10::ListType::ofInts())) {
      continue;
    }
    Node* reshape = graph.create(c10::Symbol::fromQualString("aten::reshape"),
                                 node->inputs());
    reshape->insertBefore(node);
    reshape->output()->setType(node->output()->type());
    node->output()->replaceAllUsesWith(reshape->output());
    node->destroy();
  }
}

}  // namespace

std::vector<FusedOp> RewriteIntoStages(Graph& graph,
                                       const ParameterizedOps& sites) {
  ViewsToReshapes(graph.block(), graph);
  return StageRewriter(graph, sites).Rewrite();
}

}  // namespace saliency
