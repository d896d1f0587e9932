#include "core/attribution/postprocess.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/base/rank_correlation.h"

namespace saliency {
namespace {

// In double on both sides of the rule for a constant map, so that the flag and
// the zeros can never disagree and max - min cannot overflow.
struct Range {
  at::Tensor min;  // [B] float64
  at::Tensor max;
};

Range RangeOf(const at::Tensor& flat) {
  return {flat.amin(1).to(at::kDouble), flat.amax(1).to(at::kDouble)};
}

}  // namespace

at::Tensor ResizeMaps(const at::Tensor& maps, int64_t height, int64_t width) {
  assert(maps.dim() == 3 && height >= 1 && width >= 1);
  if (maps.size(1) == height && maps.size(2) == width) return maps;
  return at::upsample_bilinear2d(maps.unsqueeze(1).contiguous(),
                                 {height, width}, /*align_corners=*/false)
      .squeeze(1);
}

std::vector<MapSummary> SummariseMaps(const at::Tensor& maps) {
  assert(maps.dim() == 3);
  const at::Tensor flat = maps.flatten(1);
  const Range range = RangeOf(flat);
  // One transfer for all: float64 holds indices and float32 values exactly.
  const at::Tensor numbers =
      at::stack({range.min, range.max, flat.argmax(1).to(at::kDouble)})
          .cpu()
          .contiguous();
  const int64_t count = maps.size(0);
  const double* min = numbers.data_ptr<double>();
  const double* max = min + count;
  const double* argmax = max + count;
  std::vector<MapSummary> summaries(count);
  for (int64_t i = 0; i < count; ++i) {
    MapSummary& summary = summaries[i];
    // NaN wins minimum and maximum; an infinity is one of them.
    summary.finite = std::isfinite(min[i]) && std::isfinite(max[i]);
    const double magnitude = std::max(std::abs(min[i]), std::abs(max[i]));
    summary.constant = max[i] - min[i] <= kConstantTolerance * magnitude;
    summary.raw_min = static_cast<float>(min[i]);
    summary.raw_max = static_cast<float>(max[i]);
    const auto point = static_cast<int64_t>(argmax[i]);
    summary.point_y = point / maps.size(2);
    summary.point_x = point % maps.size(2);
  }
  return summaries;
}

at::Tensor NormaliseMaps(const at::Tensor& maps) {
  assert(maps.dim() == 3);
  const Range range = RangeOf(maps.flatten(1));
  const at::Tensor width = range.max - range.min;
  const at::Tensor magnitude = at::maximum(range.min.abs(), range.max.abs());
  const at::Tensor constant = (width <= magnitude * kConstantTolerance)
                                  .logical_and(magnitude.isfinite());
  // max - min of a map that reaches 3e38 both ways is beyond float32; a quarter
  // of it is not, and a factor of a power of two changes no quotient.
  const at::Tensor factor = at::where(
      magnitude > 1e38, at::full_like(width, 0.25), at::ones_like(width));
  const auto per_map = [](const at::Tensor& numbers) {
    return numbers.to(at::kFloat).view({-1, 1, 1});
  };
  // One tensor of the maps' size, whatever that is.
  at::Tensor quotient = maps * per_map(factor);
  quotient.sub_(per_map(range.min * factor)).div_(per_map(width * factor));
  return quotient.masked_fill_(constant.view({-1, 1, 1}), 0);
}

}  // namespace saliency
