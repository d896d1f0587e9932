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

// Weights of the samples -half .. half, summing to 1.
std::vector<double> GaussianTaps(double sigma, int64_t half) {
  std::vector<double> taps(2 * half + 1);
  double total = 0;
  for (int64_t i = -half; i <= half; ++i) {
    const double z = static_cast<double>(i) / sigma;
    total += taps[i + half] = std::exp(-0.5 * z * z);
  }
  for (double& tap : taps) tap /= total;
  return taps;
}

// [B,1,H,W] smoothed along `dim`.  Shifted slices instead of a convolution: on
// a GPU that could run in TF32, whose 1e-3 would show in a rank correlation.
at::Tensor SmoothAlong(int64_t dim, const at::Tensor& maps,
                       const std::vector<double>& taps) {
  const int64_t half = static_cast<int64_t>(taps.size()) / 2;
  const int64_t across = dim == 3 ? half : 0;
  const int64_t down = dim == 2 ? half : 0;
  const at::Tensor padded =
      at::replication_pad2d(maps, {across, across, down, down});
  const int64_t size = maps.size(dim);
  at::Tensor result = padded.narrow(dim, half, size) * taps[half];
  for (int64_t i = 1; i <= half; ++i) {
    result.add_(padded.narrow(dim, half - i, size), taps[half - i]);
    result.add_(padded.narrow(dim, half + i, size), taps[half + i]);
  }
  return result;
}

}  // namespace

at::Tensor ResizeMaps(const at::Tensor& maps, int64_t height, int64_t width) {
  assert(maps.dim() == 3 && height >= 1 && width >= 1);
  if (maps.size(1) == height && maps.size(2) == width) return maps;
  return at::upsample_bilinear2d(maps.unsqueeze(1).contiguous(),
                                 {height, width}, /*align_corners=*/false)
      .squeeze(1);
}

at::Tensor SmoothMaps(const at::Tensor& maps, double sigma_fraction) {
  assert(maps.dim() == 3 && sigma_fraction >= 0);
  if (sigma_fraction == 0) return maps;
  const double longer =
      static_cast<double>(std::max(maps.size(1), maps.size(2)));
  const double sigma = sigma_fraction * longer;
  const auto half = static_cast<int64_t>(std::ceil(4 * sigma));
  const std::vector<double> taps = GaussianTaps(sigma, half);
  return SmoothAlong(3, SmoothAlong(2, maps.unsqueeze(1), taps), taps)
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
  const at::Tensor scaled = maps * per_map(factor);
  const at::Tensor quotient =
      (scaled - per_map(range.min * factor)) / per_map(width * factor);
  return at::where(constant.view({-1, 1, 1}), at::zeros_like(quotient),
                   quotient);
}

}  // namespace saliency
