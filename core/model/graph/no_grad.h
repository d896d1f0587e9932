// What a script runs under `with torch.no_grad()`: the switch is taken out, and
// what leaves its block is detached instead.  No gradient passes either way;
// but the layers inside keep their places in the graph, and nothing writes to
// the object that remembers the old setting.
//
// A traced model never shows it: its gradients flow.
//
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_GRAPH_NO_GRAD_H_
#define SALIENCY_CORE_MODEL_GRAPH_NO_GRAD_H_

#include "absl/status/status.h"

namespace c10 {
struct Type;
}  // namespace c10

namespace torch::jit {
struct Graph;
}  // namespace torch::jit

namespace saliency {

// Whether values of this type are torch.no_grad() or torch.inference_mode().
bool IsNoGrad(const c10::Type& type);

// REQUIRES: no method of a no_grad object was inlined.
// Errors: INVALID_ARGUMENT the block hands on something other than tensors.
absl::Status ReplaceNoGrad(torch::jit::Graph& graph);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_NO_GRAD_H_
