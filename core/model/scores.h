// From a model's output to the number that is differentiated.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_SCORES_H_
#define SALIENCY_CORE_MODEL_SCORES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/model/probe.h"
#include "core/model/probed_model.h"

namespace saliency {

// Picks the logits out of what forward() returned: the tensor itself, a tuple's
// or list's element, a dict's entry; without index and key the first tensor.
// Errors: INVALID_ARGUMENT there is no such output or it is no tensor.
absl::StatusOr<at::Tensor> SelectOutput(const c10::IValue& output,
                                        std::optional<int> index,
                                        const std::string& key);

// What SelectOutput picks of what a model returned for one image, and what it
// leaves, in words.
// REQUIRES: SelectOutput picks something.
ModelOutput DescribeOutput(const c10::IValue& output, std::optional<int> index,
                           const std::string& key);

// [B,C] float32 from [B], [B,C] or a spatial logit map [B,C,h,w].  The map's
// logit of a class is sum_u p_u z_u, its logits z weighted by their own softmax
// p over the positions u; at 1x1 that is the plain logit.  Gradients are those
// of this very number: d/dz_u = p_u (1 + z_u - sum p z). Errors:
// INVALID_ARGUMENT another number of dimensions, complex numbers.
absl::StatusOr<at::Tensor> PoolLogits(const at::Tensor& output);

// A model's output for `images` images with the axis of a single image that
// squeeze() took away: [C] as [1,C], a number as [1].
at::Tensor WithImageAxis(const at::Tensor& output, int64_t images);

// The class that `target` means for one row of logits [C] (CPU, float32).  Ties
// go to the lowest index, at both ends.
// Errors: INVALID_ARGUMENT out of range.
absl::StatusOr<int64_t> ResolveTarget(const ClassTarget& target,
                                      const at::Tensor& logits);

// The scores [R] of class `classes[r]` in `logits` [R,C]; differentiable.
// REQUIRES: kinds and classes have R entries.
at::Tensor RowScores(const at::Tensor& logits,
                     absl::Span<const int64_t> classes,
                     absl::Span<const Score> kinds);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_SCORES_H_
