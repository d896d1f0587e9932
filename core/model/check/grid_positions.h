// Which position of a grid each element of an operator's result stands for.
// Convolutions, pools and their like define it, by what they are: [N,K,H,W].
// Operators that move elements take the positions along, those that work on
// each element or along the channels leave them.
// Internal to the model room.  Pure functions but for what they note in the
// store.

#ifndef SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_
#define SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_

#include <functional>

#include "ATen/core/Tensor.h"
#include "core/model/check/operator_watch.h"
#include "core/model/check/origins.h"

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

// Notes the positions of what the call gave; and, where an operator defines
// what its input is and nobody knew, those of its input.
// Throws what LibTorch throws.
void NotePositions(const OperatorCall& call, OriginStore& origins);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_
