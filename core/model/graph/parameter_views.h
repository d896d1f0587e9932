// How the attributes of a model's graph lie in the memory of its parameters.
//
// A parameter may be read under several names (tied weights), in part or in
// another order (a slice or a transposed view of another parameter), and out of
// a list, a tuple or a dictionary.  A step of SGD moves memory: whatever reads
// it, by whatever name, sees it moved, and each way of reading it adds to its
// gradient.
//
//   parameter   what the file registers as one, whether or not it asks for
//               gradients there
//   piece       memory that parameters take, as large as they overlap
//   view        a tensor among the attributes that lies in a piece
//
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_GRAPH_PARAMETER_VIEWS_H_
#define SALIENCY_CORE_MODEL_GRAPH_PARAMETER_VIEWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace saliency {

struct ParameterView {
  int piece = -1;  // -1: no parameter's memory
  std::vector<int64_t> sizes, strides;
  int64_t offset = 0;  // in elements, from the start of the storage
};

struct ParameterViews {
  int pieces = 0;
  // By attribute, of each tensor in it in the order of ForEachTensor.
  std::vector<std::vector<ParameterView>> of;
};

// Whether a tensor in `value` shares storage with a parameter of `module`.
bool HoldsParameters(const torch::jit::Module& module,
                     const c10::IValue& value);

// `attributes` are values of `module`, in its own memory.
ParameterViews FindParameterViews(const torch::jit::Module& module,
                                  const std::vector<c10::IValue>& attributes);

// By attribute: -1 where nothing in it is a parameter's; otherwise the first
// attribute that has a piece in common with it, which may be itself.
std::vector<int> FirstInSameMemory(const ParameterViews& views);

// Why a step could not move the parameters, or packed weights, that are read
// through this attribute, "holds weights packed by class LinearPackedParams,
// ..."; empty when it can, or there are none.
std::string WhyItCannotMove(const torch::jit::Module& module,
                            const c10::IValue& attribute);

// The pieces as values of `attributes`, which may be copies in another
// precision.  A piece that all its views read alike is that tensor, in its
// memory; others are copied, [n].  Undefined: whole numbers, which have no
// gradient, and pieces that no attribute reads.
std::vector<at::Tensor> ReadPieces(const ParameterViews& views,
                                   const std::vector<c10::IValue>& attributes);

// `attributes` with each view read from `pieces` [as of ReadPieces];
// differentiable by those.
std::vector<c10::IValue> WithPieces(const ParameterViews& views,
                                    const std::vector<c10::IValue>& attributes,
                                    const std::vector<at::Tensor>& pieces);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_PARAMETER_VIEWS_H_
