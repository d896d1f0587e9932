// One row of a job, that is one image with one target, and its results.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_FINISH_ROW_H_
#define SALIENCY_CORE_ENGINE_FINISH_FINISH_ROW_H_

#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/finish/finished_map.h"
#include "core/engine/job.h"
#include "core/engine/plan/plan_results.h"
#include "core/image/image.h"

namespace saliency {

// What one variant came to for a row.
struct RowVariant {
  float score = 0;
  // Raw maps [H,W] float32 on the CPU, by pass_index.
  absl::Span<const absl::StatusOr<at::Tensor>> maps;
  // As maps; empty: none has a warning.
  absl::Span<const std::string> warnings;
};

// What the results of a row share.
struct FinishRow {
  int image = 0;  // indices into the job
  int target = 0;
  ClassScore explained;
  std::string others_text;  // PassTarget::others_text
  float score = 0;
  bool stepped = false;  // the maps were taken after a meta step
  MapPlacement placement;
  const std::optional<Image>& pixels;  // for overlays
  // By PlannedResult::variant.
  std::vector<RowVariant> variants;
  // What is differentiated is a probability (or the logarithm of one) that is 0
  // or 1 up to rounding: its gradient vanishes.
  bool saturated = false;
  const OutputOptions& output;
};

// The warning of the map behind `plan`, or of its factor; empty: there is none.
std::string WarningOf(const FinishRow& row, const PlannedResult& plan);

// The raw map behind `plan`, multiplied by its factor where it has one, or why
// there is none.
absl::StatusOr<at::Tensor> RawMap(const FinishRow& row,
                                  const PlannedResult& plan);

// The same resized to the output and smoothed: [1,h,w] float32.
absl::StatusOr<at::Tensor> SizedMap(const FinishRow& row,
                                    const PlannedResult& plan);

// FAILED_PRECONDITION: the map of a method (or a map that was given) at a layer
// has values that are not finite.
absl::Status NotFinite(const PlannedResult& plan);

// Fills in size, range, point and region.
void Describe(const FinishedMap& map, MapResult& result);

// One map of the row.  A failed result keeps its indices and names alone.
MapResult FinishResult(const FinishRow& row, const PlannedResult& plan);

// "tabby 14.2 meta norm_grad ", what a title begins with; empty for maps that
// were given.
std::string RowTitle(const FinishRow& row, const MapResult& result);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_FINISH_ROW_H_
