// From a TorchScript module to one flat graph in which every module call's
// result carries a mark with its dotted path: what probes are placed by.
//
//   1. inline all method and function calls, following prim::GetAttr chains to
//      know each call's module path;
//   2. turn attributes into constants (switches, sizes) or into inputs of the
//      graph (parameters, buffers);
//   3. propagate constants, so that the If blocks around scripted layers go,
//      and unroll the loops whose rounds they tell (unroll_loops.h);
//   4. make in-place operators functional (functionalise.h).
//
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_GRAPH_MARKED_GRAPH_H_
#define SALIENCY_CORE_MODEL_GRAPH_MARKED_GRAPH_H_

#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"
#include "absl/status/statusor.h"
#include "core/model/graph/parameter_views.h"
#include "core/model/probe.h"

namespace torch::jit {
struct CompilationUnit;
struct Graph;
struct Module;
}  // namespace torch::jit

namespace saliency {

// What a mark's id stands for.
struct Mark {
  Probe probe;
  std::string kind;  // class of the module, "Conv2d"
  // What the name is made of: the module's path, which of its calls this is
  // (in the order of inlining), and the part of a tuple (-1: no tuple).
  std::string path;
  int call = 1;
  int part = -1;
};

// graph inputs: the image tensor [N,C,H,W], then one for each attribute.
struct MarkedGraph {
  std::shared_ptr<torch::jit::Graph> graph;
  std::vector<Mark> marks;                   // by mark id; names are unique
  std::vector<std::string> attribute_names;  // "layer1.0.conv1.weight"
  std::vector<c10::IValue> attributes;  // shared with the module, never written
  // How the attributes lie in the memory of the parameters.
  ParameterViews views;
  // By attribute: -1 for what is no parameter (buffers, running statistics);
  // otherwise the first attribute in the same memory, another one than itself
  // when weights are tied.
  std::vector<int> parameter;
  // What a meta step could not move, and why; empty: nothing.
  std::string immovable;
  bool overwrites_tensors = false;  // an in-place op could not be made
                                    // functional
  // By input of the graph: whether an operator may write there (an in-place one
  // that is left, or one that changes lists or dicts), so that a run must hand
  // in a copy.
  std::vector<bool> written_inputs;
  // Owns the functions that were inlined: the interpreter names them, by bare
  // pointers, in the error of an operator that fails.
  std::shared_ptr<const torch::jit::CompilationUnit> functions;
};

// `module` must be in eval mode and its parameters must not require gradients.
// Errors: INVALID_ARGUMENT when forward() does not take exactly one tensor
// without a default, or writes to an attribute.
absl::StatusOr<MarkedGraph> MarkGraph(const torch::jit::Module& module);

// Brings the attributes, and the weights that a frozen model holds as constants
// of its graph, to `dtype`.
void ConvertFloats(MarkedGraph& marked, at::ScalarType dtype);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_MARKED_GRAPH_H_
