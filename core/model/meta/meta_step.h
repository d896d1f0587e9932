// What a meta step is made of, apart from how it is computed: its loss, its
// size, and which rows take one (the paper, sec. 4.4).
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_META_META_STEP_H_
#define SALIENCY_CORE_MODEL_META_META_STEP_H_

#include <cstdint>
#include <functional>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/model/output_meaning.h"
#include "core/model/probe.h"

namespace saliency {

// Whether the rows of this request take steps.
// REQUIRES: all rows have a meta step or none has.
bool HasMetaSteps(const ProbeRequest& request);

// Errors: INVALID_ARGUMENT an epsilon that is negative or not finite; a score
// without a loss (SCALAR_OUTPUT); a loss that is not that
// of the model's output (LossOf); an image without a row.
// REQUIRES: HasMetaSteps(request).
absl::Status CheckMetaSteps(const ProbeRequest& request,
                            const OutputMeaning& output, int64_t num_classes);

// c in theta' = theta - c grad L: 2 epsilon, negative for an ascent.
double StepSize(const MetaStep& step);

// The losses [R] of class `classes[r]` in `logits` [R,C] float32, r by its
// row's step; differentiable.
// REQUIRES: CheckLoss of each step's loss.
at::Tensor MetaLosses(const at::Tensor& logits,
                      absl::Span<const int64_t> classes,
                      absl::Span<const ProbeRow> rows,
                      Probabilities probabilities);

// Rows whose epsilon is zero go through `plain`, so that they are the plain
// maps bit for bit, the others through `stepped`; the results are joined in the
// order of the rows.  Each function gets the images of its rows only.
absl::StatusOr<ProbeResult> SplitZeroSteps(
    const ProbeRequest& request,
    const std::function<absl::StatusOr<ProbeResult>(const ProbeRequest&)>&
        plain,
    const std::function<absl::StatusOr<ProbeResult>(const ProbeRequest&)>&
        stepped);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_META_STEP_H_
