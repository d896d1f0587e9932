#include "core/attribution/combine.h"

#include <ATen/ATen.h>

#include <cassert>
#include <cstddef>
#include <limits>
#include <numeric>

namespace saliency {
namespace {

RowShares SharesOf(absl::Span<const NormalisedMaps* const> layers, int64_t row,
                   const std::vector<double>& weights) {
  RowShares shares = {.weights = weights};
  for (std::size_t j = 0; j < layers.size(); ++j) {
    const MapSummary& summary = layers[j]->summaries[row];
    const bool takes_part = weights[j] > 0;
    if (takes_part && !summary.finite && !shares.non_finite.has_value()) {
      shares.non_finite = static_cast<int>(j);
    }
    const bool constant = summary.finite && summary.constant;
    shares.constant.push_back(constant);
    if (constant) shares.weights[j] = 0;
  }
  const double left =
      std::accumulate(shares.weights.begin(), shares.weights.end(), 0.0);
  if (left == 0) return shares;
  for (double& weight : shares.weights) weight /= left;
  return shares;
}

// [B,1,1] float32: layer j's weight in each row.
at::Tensor WeightsOf(std::size_t layer, const std::vector<RowShares>& rows,
                     const at::Tensor& like) {
  std::vector<float> weights;
  weights.reserve(rows.size());
  for (const RowShares& row : rows) {
    weights.push_back(static_cast<float>(row.weights[layer]));
  }
  return at::tensor(weights, at::kFloat).to(like.device()).view({-1, 1, 1});
}

// A map of weight 0 may hold anything, NaN included: it is replaced, since
// 0 x NaN is NaN and 0^0 should not depend on a library.
at::Tensor Join(absl::Span<const NormalisedMaps* const> layers,
                const std::vector<RowShares>& rows, CombineRule rule) {
  const double neutral = rule == CombineRule::kSum ? 0 : 1;
  at::Tensor joined = at::full_like(layers.front()->maps, neutral);
  for (std::size_t j = 0; j < layers.size(); ++j) {
    const at::Tensor& map = layers[j]->maps;
    const at::Tensor weight = WeightsOf(j, rows, map);
    const at::Tensor term = at::where(
        weight > 0, rule == CombineRule::kSum ? map * weight : map.pow(weight),
        at::full_like(map, neutral));
    if (rule == CombineRule::kSum) {
      joined.add_(term);
    } else {
      joined.mul_(term);
    }
  }
  return joined;
}

}  // namespace

absl::string_view CombineRuleName(CombineRule rule) {
  return rule == CombineRule::kSum ? "sum" : "product";
}

NormalisedMaps NormaliseWithSummaries(const at::Tensor& maps) {
  return {.maps = NormaliseMaps(maps), .summaries = SummariseMaps(maps)};
}

CombinedMaps Combine(absl::Span<const NormalisedMaps* const> layers,
                     const CombinationWeights& weights, CombineRule rule) {
  assert(!layers.empty() &&
         static_cast<int>(layers.size()) == weights.layers());
  CombinedMaps combined;
  const int64_t count = layers.front()->maps.size(0);
  for (int64_t row = 0; row < count; ++row) {
    combined.rows.push_back(SharesOf(layers, row, weights.values()));
  }
  // Rounding may pass 1 by a bit; a NaN stays one.
  combined.maps = Join(layers, combined.rows, rule).clamp_(0, 1);
  for (int64_t row = 0; row < count; ++row) {
    const RowShares& shares = combined.rows[row];
    if (shares.non_finite.has_value()) {
      combined.maps[row].fill_(std::numeric_limits<float>::quiet_NaN());
    } else if (std::accumulate(shares.weights.begin(), shares.weights.end(),
                               0.0) == 0) {
      combined.maps[row].zero_();  // an empty product is 1
    }
  }
  return combined;
}

CombinedMaps CombineLayers(absl::Span<const at::Tensor> layers, int64_t height,
                           int64_t width, const CombinationWeights& weights,
                           CombineRule rule) {
  std::vector<NormalisedMaps> normalised;
  normalised.reserve(layers.size());
  for (const at::Tensor& maps : layers) {
    normalised.push_back(
        NormaliseWithSummaries(ResizeMaps(maps, height, width)));
  }
  std::vector<const NormalisedMaps*> views;
  views.reserve(normalised.size());
  for (const NormalisedMaps& maps : normalised) views.push_back(&maps);
  return Combine(views, weights, rule);
}

}  // namespace saliency
