// Operators that only move elements: where each went is found by running them
// on labels.
// Internal to the model room.  Pure functions.

#ifndef SALIENCY_CORE_MODEL_CHECK_MOVED_ELEMENTS_H_
#define SALIENCY_CORE_MODEL_CHECK_MOVED_ELEMENTS_H_

#include <functional>

#include "ATen/core/Tensor.h"
#include "core/model/check/operator_watch.h"

namespace saliency {

// Whether the operator gives each element of its first argument, or of the list
// that this is, a place in its result, and changes none.
bool MovesElements(const OperatorCall& call);
// The operator on labels in place of its elements: `labels_of` is called for
// each tensor of the first argument's handle, and what the operator fills in
// has label zero.  float32.  REQUIRES: MovesElements(call).
at::Tensor MoveLabels(
    const OperatorCall& call,
    const std::function<at::Tensor(const at::Tensor&)>& labels_of);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_MOVED_ELEMENTS_H_
