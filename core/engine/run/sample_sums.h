// The maps of a variant with samples as they come, so that memory does not grow
// with the number of samples: sums over those there are, and at the end the
// statistic that was asked for.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_SAMPLE_SUMS_H_
#define SALIENCY_CORE_ENGINE_RUN_SAMPLE_SUMS_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "absl/types/span.h"
#include "core/engine/explainer.h"
#include "core/engine/run/sampled_inputs.h"

namespace saliency {

// Sums over no sample yet, of `rows` rows.
VariantAnswer EmptySums(const Variant& variant, int64_t rows);

// Adds the map [H,W] of sample number `sample` at index `slot` of sums.maps.  A
// map that failed for one sample stays failed.
void AddSample(const SampledInputs& inputs, int64_t sample,
               const at::Tensor& map, int64_t slot, VariantAnswer& sums);

// Adds sums over some samples of rows [first_row, ...) to those of all rows.
void AddSums(VariantAnswer part, int64_t first_row, VariantAnswer& sums);

// Makes of the sums over all samples what the statistic says, in float32.
// `scores` are those of the images themselves, one for each row, `targets` of
// each image; `mask_activations` what their samples masked them by, one for
// each image, or why there is none; empty where they mask by none.
void FinishSamples(
    const SampledInputs& inputs, absl::Span<const float> scores,
    int64_t targets, VariantAnswer& answer,
    absl::Span<const absl::StatusOr<at::Tensor>> mask_activations = {});

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_SAMPLE_SUMS_H_
