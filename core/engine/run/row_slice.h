// A job with more rows than one pass takes goes through the model slice by
// slice, so that others have their turn in between: first the rows of the
// images themselves, then, when it is known which classes they explain, those
// of samples. Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_ROW_SLICE_H_
#define SALIENCY_CORE_ENGINE_RUN_ROW_SLICE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "core/engine/explainer.h"

namespace saliency {

// Some images of an item with all of its targets, or one image with some of
// them: rows that follow one another, image-major, of all variants without
// samples.  Or, of one variant with samples, some samples of one image with all
// targets.
struct RowSlice {
  int64_t first_image = 0;
  int64_t images = 0;
  int64_t first_target = 0;
  int64_t targets = 0;
  int variant = 0;  // of the samples
  int64_t first_sample = 0;
  int64_t samples = 0;  // 0: of the images themselves

  int64_t rows() const {
    return images * targets * (samples > 0 ? samples : 1);
  }
};

// How many samples each variant of an item runs; 0 for one without.
std::vector<int64_t> SampleCounts(const PassItem& item);

// The slice that begins at row `done` of an item and has at most `max_rows`.
// REQUIRES: 0 <= done < images x targets; max_rows >= 1; `done` is where an
// earlier slice of the same item ended.
RowSlice SliceAt(int64_t done, int64_t images, int64_t targets,
                 int64_t max_rows);

// As SliceAt, at row `done` of those of samples, variant by variant, image by
// image.  A slice takes one sample at least, with all targets.
// REQUIRES: 0 <= done < images x targets x the sum of `samples`.
RowSlice SampleSliceAt(int64_t done, int64_t images, int64_t targets,
                       absl::Span<const int64_t> samples, int64_t max_rows);

// The slice as an item of its own.  Shares the item's tensor.  One of samples
// explains `classes`, [images x targets] of the item, and may mask by an
// activation of its image; others need neither.
PassItem ItemOf(const PassItem& item, const RowSlice& slice,
                absl::Span<const int64_t> classes = {},
                const at::Tensor& mask_activation = {});

// Puts what came of a slice where it belongs in the item's whole answer, which
// may be empty before the first.
// REQUIRES: `part` answers ItemOf(item, slice, ...); slices of samples come
//   after all others.
void StoreSlice(PassAnswer part, const PassItem& item, const RowSlice& slice,
                PassAnswer& whole);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_ROW_SLICE_H_
