// A job with more rows than one pass takes goes through the model slice by
// slice, so that others have their turn in between.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_ROW_SLICE_H_
#define SALIENCY_CORE_ENGINE_RUN_ROW_SLICE_H_

#include <cstdint>

#include "core/engine/explainer.h"

namespace saliency {

// Some images of an item with all of its targets, or one image with some of
// them: rows that follow one another, image-major.
struct RowSlice {
  int64_t first_image = 0;
  int64_t images = 0;
  int64_t first_target = 0;
  int64_t targets = 0;

  int64_t rows() const { return images * targets; }
};

// The slice that begins at row `done` of an item and has at most `max_rows`.
// REQUIRES: 0 <= done < images x targets; max_rows >= 1; `done` is where an
// earlier slice of the same item ended.
RowSlice SliceAt(int64_t done, int64_t images, int64_t targets,
                 int64_t max_rows);

// The slice as an item of its own.  Shares the item's tensor.
PassItem ItemOf(const PassItem& item, const RowSlice& slice);

// Puts what came of a slice where it belongs in the item's whole answer, which
// may be empty before the first.
// REQUIRES: `part` answers ItemOf(item, slice), all of its variants.
void StoreSlice(PassAnswer part, const PassItem& item, const RowSlice& slice,
                PassAnswer& whole);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_ROW_SLICE_H_
