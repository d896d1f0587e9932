// Which position of a grid each element of an operator's result stands for, and
// what that says about a tensor's axes: where its channels are.  Convolutions,
// pools and their like define it, by what they are: [N,K,H,W].  Operators that
// move elements take the positions along, those that work on each element or
// along the channels leave them.
// Internal to the model room.  Pure functions but for what they note in the
// store.

#ifndef SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_
#define SALIENCY_CORE_MODEL_CHECK_GRID_POSITIONS_H_

#include <array>
#include <cstdint>
#include <functional>

#include "ATen/core/Tensor.h"
#include "core/model/check/operator_watch.h"
#include "core/model/check/origins.h"

namespace saliency {

enum class GridKind {
  kUnknown,   // nothing is known of any element
  kNone,      // no two axes are those of a grid
  kTokens,    // its positions, row by row, lie along one axis
  kShuffled,  // they are, but rolled or in another order
  kGrid,
};

// Which axis of a tensor with four is what.
struct GridAxes {
  GridKind kind = GridKind::kUnknown;
  int channels = 1, height = 2, width = 3;
};

// `origins` of a tensor [N,a,b,c].
GridAxes ReadGridAxes(const Origins& origins);

// Notes at `tensor`, of four axes, that it is a grid.
// REQUIRES: the store has memory for it; axes.kind is kGrid.
void NoteGrid(const at::Tensor& tensor, const GridAxes& axes,
              OriginStore& origins);

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
