// Which images of a batch of two each element of an operator's result depends
// on, found by experiment: the operator runs again with one image's part of
// its inputs replaced, then the other's, then both.  What an operator is called
// does not matter, so that a reduction, a sort or a comparison across the batch
// shows whatever its name.
// Internal to the model room.  Pure functions, but for a random generator that
// is their own.

#ifndef SALIENCY_CORE_MODEL_CHECK_ROW_INFLUENCE_H_
#define SALIENCY_CORE_MODEL_CHECK_ROW_INFLUENCE_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/check/operator_watch.h"
#include "core/model/check/origins.h"

namespace saliency {

// By result of `call`: the set of images of each element, int8 of the
// result's sizes.  Where no experiment can tell (the operator draws random
// numbers, or its inputs are of a kind that cannot be replaced), an element is
// taken to depend on all that lies at its place along the first axis.  A result
// whose sizes depend on the images' values depends on both.
// Throws what LibTorch throws.
std::vector<at::Tensor> RowsOfResults(const OperatorCall& call,
                                      OriginStore& origins);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_ROW_INFLUENCE_H_
