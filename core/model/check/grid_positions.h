// Which position of a grid each element of an operator's result stands for.
// Convolutions, pools and their like define it, by what they are: [N,K,H,W], in
// the order of what they were given (mirrored, where that was mirrored).
// Operators that move elements take the positions along, those that work on
// each element or along the channels leave them.
// Internal to the model room.  Pure functions but for what they note in the
// store.

#ifndef SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_
#define SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_

#include "ATen/core/Tensor.h"
#include "core/model/check/operator_watch.h"
#include "core/model/check/origins.h"

namespace saliency {

// Notes the positions of what the call gave; and, where an operator defines
// what its input is and nobody knew, those of its input.
// Throws what LibTorch throws.
void NotePositions(const OperatorCall& call, OriginStore& origins);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_
