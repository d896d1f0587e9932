// The derivative of a ruled operator, for rules that need it in places.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_LOCAL_DERIVATIVE_H_
#define SALIENCY_CORE_MODEL_RULES_LOCAL_DERIVATIVE_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/rules/operator_rule.h"

namespace saliency {

// Of an operator of one activation, at the call's.
at::Tensor LocalDerivative(const RuledCall& call, const at::Tensor& signal);

// Of a product of two activations, each for the other one at `factors`.
std::vector<at::Tensor> ProductDerivative(
    const RuledCall& call, const std::vector<at::Tensor>& factors,
    const at::Tensor& signal);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_LOCAL_DERIVATIVE_H_
