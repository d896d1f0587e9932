#include "core/model/graph/decompose_attention.h"

#include <torch/csrc/jit/passes/inliner.h>
#include <torch/jit.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace saliency {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// With the operators' own arguments, in their order.  A mask is true where
// nothing is attended to; its kinds are those of LibTorch's masked softmax:
// 0 [T,T], 1 [N,T], 2 [N,heads,T,T].
constexpr char kDecomposed[] = R"(
def heads_of(x, weight, bias, part: int, width: int, heads: int):
  first, last = part * width, (part + 1) * width
  y = torch.linear(x, weight[first:last], bias[first:last])
  return y.reshape([x.size(0), x.size(1), heads, width // heads]).transpose(1, 2)

def attention(query, key, value, width: int, heads: int, in_weight, in_bias,
              out_weight, out_bias, mask: Optional[Tensor], need_weights: bool,
              average_weights: bool, mask_type: Optional[int]):
  q = heads_of(query, in_weight, in_bias, 0, width, heads)
  k = heads_of(key, in_weight, in_bias, 1, width, heads)
  v = heads_of(value, in_weight, in_bias, 2, width, heads)
  scores = torch.matmul(q * (float(width // heads) ** -0.5),
                        k.transpose(-2, -1))
  if mask is not None:
    if mask_type is not None and mask_type == 1:
      mask = mask.unsqueeze(1).unsqueeze(1)
    scores = scores.masked_fill(mask, float("-inf"))
  weights = torch.softmax(scores, -1)
  mixed = torch.matmul(weights, v).transpose(1, 2).flatten(2)
  if average_weights:
    weights = weights.mean(1)
  return torch.linear(mixed, out_weight, out_bias), weights

def encoder_layer(x, width: int, heads: int, in_weight, in_bias, out_weight,
                  out_bias, use_gelu: bool, norm_first: bool, eps: float,
                  norm1_weight, norm1_bias, norm2_weight, norm2_bias,
                  ffn1_weight, ffn1_bias, ffn2_weight, ffn2_bias,
                  mask: Optional[Tensor], mask_type: Optional[int]):
  y = x
  if norm_first:
    y = torch.layer_norm(y, [width], norm1_weight, norm1_bias, eps)
  y = x + attention(y, y, y, width, heads, in_weight, in_bias, out_weight,
                    out_bias, mask, False, False, mask_type)[0]
  if not norm_first:
    y = torch.layer_norm(y, [width], norm1_weight, norm1_bias, eps)
  z = y
  if norm_first:
    z = torch.layer_norm(z, [width], norm2_weight, norm2_bias, eps)
  z = torch.linear(z, ffn1_weight, ffn1_bias)
  if use_gelu:
    z = torch.gelu(z)
  else:
    z = torch.relu(z)
  z = y + torch.linear(z, ffn2_weight, ffn2_bias)
  if not norm_first:
    z = torch.layer_norm(z, [width], norm2_weight, norm2_bias, eps)
  return z
)";

// By the fused operator's name: its body, calls inlined.
class Decompositions {
 public:
  Decompositions() {
    const std::shared_ptr<torch::jit::CompilationUnit> unit =
        torch::jit::compile(kDecomposed);
    Add(*unit, "aten::_native_multi_head_attention", "attention");
    Add(*unit, "aten::_transformer_encoder_layer_fwd", "encoder_layer");
  }

  // Null when the node is no such operator.
  Graph* Of(const Node* node) const {
    const auto found = bodies_.find(node->kind().toQualString());
    if (found == bodies_.end()) return nullptr;
    const bool fits = found->second->inputs().size() == node->inputs().size();
    return fits ? found->second.get() : nullptr;
  }

 private:
  void Add(const torch::jit::CompilationUnit& unit, const std::string& fused,
           const std::string& name) {
    std::shared_ptr<Graph> body =
        torch::jit::toGraphFunction(unit.get_function(name)).graph()->copy();
    torch::jit::Inline(*body);
    bodies_[fused] = std::move(body);
  }

  std::unordered_map<std::string, std::shared_ptr<Graph>> bodies_;
};

void ReplaceFused(Node* fused, Graph& body) {
  Graph& graph = *fused->owningGraph();
  torch::jit::WithInsertPoint guard(fused);
  std::vector<Value*> results =
      torch::jit::insertGraph(graph, body, fused->inputs());
  if (fused->outputs().size() > 1) {
    Node* unpack = graph.insertNode(graph.createTupleUnpack(results.at(0)));
    results.assign(unpack->outputs().begin(), unpack->outputs().end());
  }
  for (size_t i = 0; i < results.size(); ++i) {
    fused->output(i)->replaceAllUsesWith(results[i]);
  }
  fused->destroy();
}

void DecomposeIn(Block* block, const Decompositions& decompositions) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) DecomposeIn(inner, decompositions);
    Graph* body = decompositions.Of(node);
    if (body != nullptr) ReplaceFused(node, *body);
  }
}

}  // namespace

void DecomposeAttention(Graph& graph) {
  static const auto* const decompositions = new Decompositions;
  DecomposeIn(graph.block(), *decompositions);
}

}  // namespace saliency
