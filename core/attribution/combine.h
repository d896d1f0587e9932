// The maps of several layers as one (sec. 4.2): each is resized to the output,
// normalised to [0,1] per map, and joined by
//   SUM      M = sum_j w_j m_j
//   PRODUCT  M = prod_j m_j^w_j
// with weights that sum to 1, so that M stays in [0,1] as it is; it is not
// normalised again.
//
// What a layer cannot say is left out, row by row: one whose map is constant
// gives its weight to the others in proportion to theirs, and one of weight 0
// takes no part at all, whatever its map holds.  When nothing is left M is 0.
//
// Source: the paper, sec. 4.2, Table 3.
// Pure functions; safe from any thread; inputs are not modified.

#ifndef SALIENCY_CORE_ATTRIBUTION_COMBINE_H_
#define SALIENCY_CORE_ATTRIBUTION_COMBINE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/attribution/combination_weights.h"
#include "core/attribution/postprocess.h"

namespace saliency {

enum class CombineRule { kSum, kProduct };

// "sum", "product".
absl::string_view CombineRuleName(CombineRule rule);

// One layer's maps as they enter a combination.
struct NormalisedMaps {
  at::Tensor maps;                    // [B,h,w] float32, NormaliseMaps
  std::vector<MapSummary> summaries;  // of each, before; B of them
};

// REQUIRES: `maps` is [B,h,w] float32, already of the output's size.
NormalisedMaps NormaliseWithSummaries(const at::Tensor& maps);

// How one row of a combination came about.
struct RowShares {
  // The weight each layer had: sums to 1; 0 for a layer that was left out; all
  // 0 when nothing was left.
  std::vector<double> weights;
  // Which layers' maps were constant.
  std::vector<bool> constant;
  // The first layer that takes part and has a value that is not finite: then
  // the row's map is NaN.
  std::optional<int> non_finite;
};

struct CombinedMaps {
  at::Tensor maps;              // [B,h,w] float32, in [0,1]
  std::vector<RowShares> rows;  // B of them
};

// REQUIRES: as many layers as weights, all of the same size and device.
CombinedMaps Combine(absl::Span<const NormalisedMaps* const> layers,
                     const CombinationWeights& weights, CombineRule rule);

// The same from raw maps [B,H_j,W_j], each with its layer's own resolution.
CombinedMaps CombineLayers(absl::Span<const at::Tensor> layers, int64_t height,
                           int64_t width, const CombinationWeights& weights,
                           CombineRule rule);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_COMBINE_H_
