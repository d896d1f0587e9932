// What operators do, as far as backward rules tell them apart: one table for
// all rules that have to know every operator they meet.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_OPERATOR_FAMILY_H_
#define SALIENCY_CORE_MODEL_RULES_OPERATOR_FAMILY_H_

#include <cstddef>
#include <optional>

#include "core/model/rules/node_view.h"

namespace saliency {

enum class OperatorFamily {
  kNone,        // gets or gives no activation
  kMoves,       // each output is an input, or constant: views, parts, cat
  kAverages,    // weights >= 0 that are no parameters: means, average pools
  kWeighted,    // a convolution or linear layer with constant weights
  kBatchNorm,   // with running statistics
  kLayerNorm,   // over the last axes
  kAdds,        // sums and differences of two activations, or with a constant
  kScales,      // a product with, or a quotient by, a constant
  kMultiplies,  // a product of two activations, number by number
  kMatrixProduct,  // of two activations
  kMaxPool,
  kRelu,        // ReLU, or a clamp with 0 for its lower end
  kActivation,  // of single numbers, others, f(0) = 0
  kGate,        // of single numbers, f(0) is not 0
  kSoftmax,
  kOther,
};

OperatorFamily FamilyOf(const NodeView& node);

// Whether the operator writes to its first argument.
bool WritesInPlace(const NodeView& node);

// The arguments of an operator of kWeighted, by their numbers.
struct WeightedArguments {
  std::size_t x = 0;
  std::size_t weight = 0;
  std::optional<std::size_t> bias;
  bool is_convolution = false;
};
// Nothing for another operator.
std::optional<WeightedArguments> ReadWeighted(const NodeView& node);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_OPERATOR_FAMILY_H_
