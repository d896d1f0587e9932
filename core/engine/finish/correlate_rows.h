// How alike the maps of two rows are: of an image with and without a meta
// step, of two of its classes, or of a model with other weights.
// Pure functions; safe from any thread, but for what they add to.
//
// Source: the paper, sec. 4.3 to 4.5.

#ifndef SALIENCY_CORE_ENGINE_FINISH_CORRELATE_ROWS_H_
#define SALIENCY_CORE_ENGINE_FINISH_CORRELATE_ROWS_H_

#include <memory>
#include <optional>
#include <vector>

#include "core/engine/finish/finish_row.h"
#include "core/engine/finish/rendering.h"
#include "core/engine/plan/prepare.h"

namespace saliency {

// Where the correlations of rows go: Spearman's rank correlation of each map
// that is planned, at the output's size (of the part that the model saw) before
// it is normalised; none where it is undefined or where a row has no such map.
struct RowCorrelations {
  std::vector<std::optional<double>>& results;   // of PreparedJob::results
  std::vector<std::optional<double>>& combined;  // of its combinations
};

// Adds the pieces that append the correlations of two rows.  All but the rows
// is referred to.
// REQUIRES: the rows are of one image and have the same output.
void AddCorrelations(const std::shared_ptr<const FinishRow>& a,
                     const std::shared_ptr<const FinishRow>& b,
                     const PreparedJob& prepared, Pieces& pieces,
                     const RowCorrelations& correlations);

// The same of the absolute values of the maps, of PreparedJob::results alone.
void AddAbsoluteCorrelations(const std::shared_ptr<const FinishRow>& a,
                             const std::shared_ptr<const FinishRow>& b,
                             const PreparedJob& prepared, Pieces& pieces,
                             std::vector<std::optional<double>>& correlations);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_CORRELATE_ROWS_H_
