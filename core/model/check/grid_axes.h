// What the positions that are noted at a tensor's elements say about its axes:
// where its channels are, its height and its width.
// Internal to the model room.  Pure functions but for what is noted in the
// store.

#ifndef SALIENCY_CORE_MODEL_CHECK_GRID_AXES_H_
#define SALIENCY_CORE_MODEL_CHECK_GRID_AXES_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/model/check/origins.h"

namespace saliency {

enum class GridKind {
  kUnknown,    // nothing is known of any element
  kNone,       // no two axes are those of a grid
  kTokens,     // its positions, row by row, lie along one axis
  kShuffled,   // they are, but rolled or in another order
  kElsewhere,  // of a crop, or of frequencies
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

// Notes at `result`, of four axes, the grid that an operator makes of `input`
// in the order of its positions: of a mirrored image a mirrored grid. REQUIRES:
// the store has memory for it; axes.kind is kShuffled.
void NoteGridInOrder(const at::Tensor& result, const Origins& input,
                     const GridAxes& axes, OriginStore& origins);

// Whether positions from the other end lie around those in order.
bool IsPaddedInCircles(const Origins& origins, const GridAxes& axes);

// Whether a view has so few of the positions in its memory that a map of it
// would not lie where it belongs.
bool IsCrop(const at::Tensor& tensor, OriginStore& origins);

// Whether elements have no position of the image's: those of a crop, or
// frequencies.
bool LiesElsewhere(const Origins& origins);

// Whether a position is known of any element.
bool HasPositions(const Origins& origins);

// `positions` as int64, and above all positions where none is known: fit for a
// minimum.
at::Tensor WithoutUnknown(const at::Tensor& positions);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_GRID_AXES_H_
