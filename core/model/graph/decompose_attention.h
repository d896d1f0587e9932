// LibTorch's fused operators of transformers, as models traced or scripted for
// inference hold them, in the operators that they are made of: the fused ones
// have no derivative, and so no gradient for maps or meta steps.
//
//   aten::_native_multi_head_attention    projections, softmax attention,
//                                         output projection
//   aten::_transformer_encoder_layer_fwd  the same with layer norms, residuals
//                                         and the feed-forward layers
//
// Same values but for the order of float32 sums.
//
// Internal to the model room.

#ifndef SALIENCY_CORE_MODEL_GRAPH_DECOMPOSE_ATTENTION_H_
#define SALIENCY_CORE_MODEL_GRAPH_DECOMPOSE_ATTENTION_H_

namespace torch::jit {
struct Graph;
}  // namespace torch::jit

namespace saliency {

// In all blocks of the graph.  Masks and switches become constants, and their
// branches go, by the next constant propagation.
void DecomposeAttention(torch::jit::Graph& graph);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_DECOMPOSE_ATTENTION_H_
