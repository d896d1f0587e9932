// An operator that is linear in its activation, run again with other weights
// than its own: what the rules of positive weights are made of.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_LINEAR_PARTS_H_
#define SALIENCY_CORE_MODEL_RULES_LINEAR_PARTS_H_

#include "ATen/core/Tensor.h"
#include "core/model/rules/operator_family.h"
#include "core/model/rules/operator_rule.h"

namespace saliency {

// y = f(x), for some weights and without a bias, and what f takes back.
class LinearMap {
 public:
  // f by the call's operator for `arguments`, at `x`.
  LinearMap(const RuledCall& call, const at::Tensor& x,
            const torch::jit::Stack& arguments);

  const at::Tensor& y() const { return y_; }  // without history
  // f^T s, in the shape of x.
  at::Tensor Back(const at::Tensor& s) const;

 private:
  at::Tensor x_;
  at::Tensor history_;
  at::Tensor y_;
};

// Which weights stand for an operator's own.
enum class WeightPart {
  kAll,
  kPositive,         // (w)+
  kNegative,         // (w)-
  kNegatedPositive,  // (-w)+
};

// The arguments of a weighted operator, with that part of its weights and
// without its bias.
torch::jit::Stack WithWeights(const RuledCall& call,
                              const WeightedArguments& at, WeightPart part);

// The operator's bias as it is added to its output; undefined: it has none.
at::Tensor BiasOf(const RuledCall& call, const WeightedArguments& at);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_LINEAR_PARTS_H_
