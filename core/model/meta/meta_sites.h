// The operators of a network that a meta step moves: every use of a parameter,
// by kind.  The fast path knows convolutions, linear layers, batch norms and
// added biases; one parameter used otherwise, or twice, and the model is left
// to the reference path.
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_META_META_SITES_H_
#define SALIENCY_CORE_MODEL_META_META_SITES_H_

#include <optional>
#include <vector>

#include "core/attribution/layer_record.h"
#include "core/model/graph/marked_graph.h"

namespace torch::jit {
struct Value;
}  // namespace torch::jit

namespace saliency {

// One parameterised operator.  Its operands are indices of the marked graph's
// attributes; -1: it has none.  Which of them are parameters, and so move, is
// the marked graph's to say.
struct ParameterizedOp {
  enum class Kind {
    kConv,       // y = conv2d(x, weight) + bias
    kLinear,     // y = x weight^T + bias, over the last axis
    kBatchNorm,  // y = (x - mean) / sqrt(variance + eps) weight + bias
    kBias,       // y = x + bias, over the last axis
  };
  Kind kind = Kind::kConv;
  int weight = -1, bias = -1;
  int mean = -1, variance = -1;  // kBatchNorm
  double eps = 0;                // kBatchNorm
  ConvGeometry geometry;         // kConv; padding is the same on both sides
  bool weight_is_transposed = false;  // kLinear: the attribute is [F,K]
  int x_operand = 0;                  // which input of its node is x
};

struct ParameterizedOps {
  std::vector<ParameterizedOp> sites;  // in graph order
  std::vector<int> of_attribute;       // the site that uses it; -1: none
};

// nullopt: the graph has a use of a parameter that this list cannot express,
// or overwrites tensors in place.
std::optional<ParameterizedOps> FindMetaSites(const MarkedGraph& marked);

// The attribute that `value` is, as it is or transposed; -1 for anything else.
// `value` belongs to the marked graph or to a copy of it with further inputs.
int AttributeIndex(const torch::jit::Value* value, int num_attributes);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_META_SITES_H_
