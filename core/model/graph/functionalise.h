// Makes in-place tensor operators functional wherever nobody can tell the
// difference, so that a probed value is never overwritten.
//
// An in-place op y = f_(x) becomes y = f(x), and every later use of x, or of a
// value that is x itself under another name, becomes a use of y.  It stays as
// it is when a view of x, a container that holds x, or a value of an outer
// block is used later: there the write is visible in ways that a new name
// cannot show.
//
// Internal to the model room.  Pure function of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_FUNCTIONALISE_H_
#define SALIENCY_CORE_MODEL_GRAPH_FUNCTIONALISE_H_

#include <vector>

namespace torch::jit {
struct Graph;
struct Value;
}  // namespace torch::jit

namespace saliency {

// Returns whether tensor-writing operators are left.
bool FunctionaliseInPlaceOps(torch::jit::Graph& graph);

// Normalisations by the batch's own statistics that would move their running
// ones no longer do: nothing else reads these in that pass.
void ForgetRunningStatistics(torch::jit::Graph& graph);

// Whether an operator of the graph writes to a list or dict.
bool WritesContainers(const torch::jit::Graph& graph);

// Whether `value` is a list or dict, or holds one, that a user of it may write
// to or hand on to one that does.
bool IsChangedContainer(const torch::jit::Value* value);

// By input: whether an operator that is left may write to its memory, or to a
// list or dict that the input is.
std::vector<bool> WrittenInputs(torch::jit::Graph& graph);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_FUNCTIONALISE_H_
