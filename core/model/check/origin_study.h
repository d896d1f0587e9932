// What one run of a network tells about its tensors: whether an image's part
// of each depends on that image alone, and where its channels, height and
// width are.  By following every operator (row_influence.h, grid_positions.h).
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_CHECK_ORIGIN_STUDY_H_
#define SALIENCY_CORE_MODEL_CHECK_ORIGIN_STUDY_H_

#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/model/check/grid_axes.h"
#include "core/model/probed_network.h"

namespace saliency {

struct TensorOrigins {
  bool reached = false;  // the run came by it
  // Entry n along its first axis depends on image n and on no other.  Always
  // true once an operator has mixed images: nothing is followed from there.
  bool rows_apart = true;
  GridAxes axes;  // of a tensor with four axes
};

struct OriginStudy {
  // The first operator, "aten::max", of whose result an element depends on both
  // images; empty when there is none.
  std::string mixing_operator;
  // The first operator that drew random numbers; empty when there is none.
  std::string random_operator;
  // It drew integers: an order, which may be that of the images.
  bool draws_order = false;
  // Output row n depends on image n and on no other.
  bool output_apart = true;
  std::vector<TensorOrigins> tensors;  // by mark id
};

// `images` are one or two.  An operator that cannot be followed counts as one
// that mixes images.
// Errors: INVALID_ARGUMENT the network cannot run them; as CatchTorch for the
//   rest.
absl::StatusOr<OriginStudy> StudyOrigins(ProbedNetwork& network,
                                         const at::Tensor& images);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_ORIGIN_STUDY_H_
