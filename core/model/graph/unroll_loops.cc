#include "core/model/graph/unroll_loops.h"

#include <torch/script.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
using SimplifyGraph = std::function<void(std::shared_ptr<Graph>&)>;

// Of one loop, and nodes that unrolling may leave in all.
constexpr int64_t kMaxRounds = 64;
constexpr int64_t kMaxNodes = 100000;

// Names the loop that is being peeled through passes that move nodes.
const c10::Symbol& PeeledAttribute() {
  static const auto* const symbol =
      new c10::Symbol(c10::Symbol::attr("saliency_peeled"));
  return *symbol;
}
// Peeling this loop came to no end.
const c10::Symbol& KeptAttribute() {
  static const auto* const symbol =
      new c10::Symbol(c10::Symbol::attr("saliency_kept"));
  return *symbol;
}

bool HoldsMark(const Block* block) {
  for (const Node* node : block->nodes()) {
    if (IsMark(node)) return true;
    for (const Block* inner : node->blocks()) {
      if (HoldsMark(inner)) return true;
    }
  }
  return false;
}

int64_t CountNodes(const Block* block) {
  int64_t count = 0;
  for (const Node* node : block->nodes()) {
    ++count;
    for (const Block* inner : node->blocks()) count += CountNodes(inner);
  }
  return count;
}

std::optional<int64_t> ConstantInt(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isInt()) return std::nullopt;
  return constant->toInt();
}

std::optional<bool> ConstantBool(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isBool()) return std::nullopt;
  return constant->toBool();
}

// Loop(most rounds, whether to begin, carried...); its block takes (round,
// carried...) and returns (whether to go on, carried...).
class LoopNode {
 public:
  explicit LoopNode(Node* node) : node_(node) {}

  bool BeginsForSure() const {
    const auto most = ConstantInt(node_->input(0));
    return most && *most > 0 && ConstantBool(node_->input(1)) == true;
  }

  // Where nothing but the count ends it.
  std::optional<int64_t> Rounds() const {
    const auto most = ConstantInt(node_->input(0));
    if (!BeginsForSure() || ConstantBool(body()->outputs()[0]) != true) {
      return std::nullopt;
    }
    return most;
  }

  Block* body() const { return node_->blocks()[0]; }

 private:
  Node* const node_;
};

class Peeler {
 public:
  Peeler(Graph& graph, std::vector<Mark>& marks)
      : graph_(graph), marks_(marks) {}

  // Puts the first round in front of the loop, which has one round less.
  // REQUIRES: LoopNode::BeginsForSure.
  void TakeRound(Node* loop) {
    torch::jit::WithInsertPoint guard(loop);
    Block* body = loop->blocks()[0];
    std::unordered_map<Value*, Value*> copies;
    copies[body->inputs()[0]] = graph_.insertConstant(int64_t{0});
    for (size_t i = 1; i < body->inputs().size(); ++i) {
      copies[body->inputs()[i]] = loop->input(i + 1);
    }
    const auto copy_of = [&](Value* value) {
      const auto it = copies.find(value);
      return it == copies.end() ? value : it->second;
    };
    std::map<std::pair<std::string, int>, int> call_of;
    for (Node* node : body->nodes()) {
      Node* copy = graph_.insertNode(graph_.createClone(node, copy_of));
      for (size_t i = 0; i < node->outputs().size(); ++i) {
        copies[node->outputs()[i]] = copy->outputs()[i];
      }
      Rename(copy, call_of);
    }
    for (size_t i = 0; i < body->outputs().size(); ++i) {
      loop->replaceInput(i + 1, copy_of(body->outputs()[i]));
    }
    const int64_t left = *ConstantInt(loop->input(0)) - 1;
    loop->replaceInput(0, graph_.insertConstant(left));
    CountFromOne(body);
  }

  // REQUIRES: no round is left.
  static void Remove(Node* loop) {
    for (size_t i = 0; i < loop->outputs().size(); ++i) {
      loop->outputs()[i]->replaceAllUsesWith(loop->input(i + 2));
    }
    loop->destroy();
  }

 private:
  // The round that was the second is the first of those that are left.
  void CountFromOne(Block* body) {
    Value* round = body->inputs()[0];
    if (round->uses().empty()) return;
    torch::jit::WithInsertPoint guard(*body->nodes().begin());
    Value* one = graph_.insertConstant(int64_t{1});
    Node* next = graph_.insertNode(graph_.create(c10::aten::add, {round, one}));
    next->output()->setType(c10::IntType::get());
    round->replaceAllUsesAfterNodeWith(next, next->output());
  }

  // Marks of a copy are other calls; parts of one tuple are of the same call.
  void Rename(Node* copy, std::map<std::pair<std::string, int>, int>& call_of) {
    for (Block* inner : copy->blocks()) {
      for (Node* node : inner->nodes()) Rename(node, call_of);
    }
    if (!IsMark(copy)) return;
    Mark mark = marks_[*ConstantInt(copy->input(1))];
    const auto key = std::make_pair(mark.path, mark.call);
    mark.call = call_of.try_emplace(key, NewCall()).first->second;
    torch::jit::WithInsertPoint guard(copy);
    copy->replaceInput(
        1, graph_.insertConstant(static_cast<int64_t>(marks_.size())));
    marks_.push_back(std::move(mark));
  }

  // A number that no call has; calls are numbered anew by their order.
  int NewCall() const {
    int last = 0;
    for (const Mark& mark : marks_) last = std::max(last, mark.call);
    return last + 1;
  }

  Graph& graph_;
  std::vector<Mark>& marks_;
};

bool MayGrow(const Graph& graph, Node* loop, int64_t rounds) {
  return rounds <= kMaxRounds &&
         CountNodes(graph.block()) +
                 rounds * CountNodes(LoopNode(loop).body()) <=
             kMaxNodes;
}

// Loops that only their count ends.  Returns whether there was one.
bool UnrollCounted(Graph& graph, Block* block, Peeler& peeler) {
  bool any = false;
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it;
    const bool is_marked_loop =
        node->kind() == c10::prim::Loop && HoldsMark(node->blocks()[0]);
    const auto rounds = is_marked_loop ? LoopNode(node).Rounds() : std::nullopt;
    if (rounds && MayGrow(graph, node, *rounds)) {
      Node* before = node->prev();
      for (int64_t i = 0; i < *rounds; ++i) peeler.TakeRound(node);
      Peeler::Remove(node);
      it = ++torch::jit::graph_node_list_iterator(before->iterator());
      any = true;
      continue;  // with the rounds, which may hold loops
    }
    for (Block* inner : node->blocks()) {
      any |= UnrollCounted(graph, inner, peeler);
    }
    ++it;
  }
  return any;
}

Node* FindLoop(Block* block, const std::function<bool(Node*)>& wanted) {
  for (Node* node : block->nodes()) {
    if (node->kind() == c10::prim::Loop && wanted(node)) return node;
    for (Block* inner : node->blocks()) {
      if (Node* found = FindLoop(inner, wanted)) return found;
    }
  }
  return nullptr;
}

bool IsPeeled(Node* loop) { return loop->hasAttribute(PeeledAttribute()); }

// Peels the loop that IsPeeled until it is gone; false when its rounds turn out
// to depend on the image, or are too many.
bool PeelAway(std::shared_ptr<Graph>& graph, std::vector<Mark>& marks,
              const SimplifyGraph& simplify) {
  for (int64_t round = 0; round < kMaxRounds; ++round) {
    Node* loop = FindLoop(graph->block(), &IsPeeled);
    if (loop == nullptr) return true;
    if (!LoopNode(loop).BeginsForSure() || !MayGrow(*graph, loop, 1)) {
      return false;
    }
    Peeler(*graph, marks).TakeRound(loop);
    simplify(graph);
  }
  return FindLoop(graph->block(), &IsPeeled) == nullptr;
}

// Loops that a condition may end.  Returns whether one was peeled away.
bool UnrollConditional(std::shared_ptr<Graph>& graph, std::vector<Mark>& marks,
                       const SimplifyGraph& simplify) {
  const auto is_candidate = [](Node* loop) {
    return !loop->hasAttribute(KeptAttribute()) &&
           LoopNode(loop).BeginsForSure() && HoldsMark(loop->blocks()[0]);
  };
  while (Node* loop = FindLoop(graph->block(), is_candidate)) {
    loop->i_(PeeledAttribute(), 1);
    std::shared_ptr<Graph> trial = graph->copy();
    std::vector<Mark> trial_marks = marks;
    loop->removeAttribute(PeeledAttribute());
    if (PeelAway(trial, trial_marks, simplify)) {
      graph = std::move(trial);
      marks = std::move(trial_marks);
      return true;
    }
    loop->i_(KeptAttribute(), 1);
  }
  return false;
}

}  // namespace

void UnrollLoops(std::shared_ptr<Graph>& graph, std::vector<Mark>& marks,
                 const SimplifyGraph& simplify) {
  while (true) {
    Peeler peeler(*graph, marks);
    if (UnrollCounted(*graph, graph->block(), peeler)) {
      simplify(graph);
      continue;  // the count of an inner loop may be known now
    }
    if (!UnrollConditional(graph, marks, simplify)) return;
  }
}

}  // namespace saliency
