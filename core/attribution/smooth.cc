// A wide Gaussian leaves nothing that a coarse grid cannot hold.  With cells of
// b = floor(sigma / 8) pixels:
//
//   1. average over each cell: a box of variance (b^2 - 1) / 12;
//   2. a Gaussian of the variance that is left, in cells: sigma' in [8, 16), so
//      fewer than 180 taps, whatever sigma is;
//   3. cubic (Lagrange) interpolation back to pixels.
//
// Within a cell a pixel counts as if it were in the middle, which shows most on
// noise: 3e-4 of the map's range.  The rest is small beside that.  The box
// differs from a Gaussian of its variance by its fourth cumulant, b^4 / 120,
// against sigma^4 >= (8 b)^4: 2e-6.  Cubic interpolation of f is off by
// 0.0234 max|f| at most, and |f| of what sigma' >= 8 has smoothed is below
// 1.4 / 8^4 of the range: 8e-6.  And the definition cuts the Gaussian at 4
// sigma, which leaves 6e-5 of it out, along each side.

#include "core/attribution/smooth.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <vector>

namespace saliency {
namespace {

constexpr double kCoarsestSigma = 8;  // in cells; kExactSigma is twice that
// Where the taps end, in sigma: by definition, and on cells, where the step at
// an end would not be smooth.
constexpr double kCut = 4;
constexpr double kCellCut = 5.5;
constexpr int64_t kMargin = 2;  // cells beyond each end of a map
constexpr int64_t kNodes = 2 * kMargin + 1;

// Weights of the samples -half .. half, summing to 1.
std::vector<double> GaussianTaps(double sigma, double cut) {
  const auto half = static_cast<int64_t>(std::ceil(cut * sigma));
  std::vector<double> taps(2 * half + 1);
  double total = 0;
  for (int64_t i = -half; i <= half; ++i) {
    const double z = static_cast<double>(i) / sigma;
    total += taps[i + half] = std::exp(-0.5 * z * z);
  }
  for (double& tap : taps) tap /= total;
  return taps;
}

// The sums of `padded` under the taps, half of them fewer at each end.  Shifted
// slices instead of a convolution: on a GPU that could run in TF32, whose 1e-3
// would show in a rank correlation.
at::Tensor SumTaps(int64_t dim, const at::Tensor& padded,
                   const std::vector<double>& taps) {
  const int64_t half = static_cast<int64_t>(taps.size()) / 2;
  const int64_t size = padded.size(dim) - 2 * half;
  at::Tensor result = padded.narrow(dim, half, size) * taps[half];
  for (int64_t i = 1; i <= half; ++i) {
    result.add_(padded.narrow(dim, half - i, size), taps[half - i]);
    result.add_(padded.narrow(dim, half + i, size), taps[half + i]);
  }
  return result;
}

// The first and last slice `count` times before and behind.
at::Tensor Replicated(int64_t dim, const at::Tensor& maps,
                      const at::Tensor& first, const at::Tensor& last,
                      int64_t count) {
  std::vector<int64_t> sizes = maps.sizes().vec();
  sizes[dim] = count;
  return at::cat({first.expand(sizes), maps, last.expand(sizes)}, dim);
}

at::Tensor SmoothFinely(int64_t dim, const at::Tensor& maps, double sigma) {
  const std::vector<double> taps = GaussianTaps(sigma, kCut);
  const int64_t half = static_cast<int64_t>(taps.size()) / 2;
  const at::Tensor first = maps.narrow(dim, 0, 1);
  const at::Tensor last = maps.narrow(dim, maps.size(dim) - 1, 1);
  return SumTaps(dim, Replicated(dim, maps, first, last, half), taps);
}

// Means over cells of `cell` pixels; the last one is filled up with the last
// pixel.
at::Tensor CellMeans(int64_t dim, const at::Tensor& maps, int64_t cell) {
  const int64_t whole = maps.size(dim) / cell;
  const int64_t rest = maps.size(dim) % cell;
  std::vector<at::Tensor> means;
  if (whole > 0) {
    std::vector<int64_t> sizes = maps.sizes().vec();
    sizes[dim] = whole;
    sizes.insert(sizes.begin() + dim + 1, cell);
    means.push_back(
        maps.narrow(dim, 0, whole * cell).reshape(sizes).mean(dim + 1));
  }
  if (rest > 0) {
    const at::Tensor sum =
        maps.narrow(dim, whole * cell, rest).sum(dim, /*keepdim=*/true);
    const at::Tensor last = maps.narrow(dim, maps.size(dim) - 1, 1);
    means.push_back((sum + last * static_cast<double>(cell - rest)) /
                    static_cast<double>(cell));
  }
  return at::cat(means, dim);
}

// Lagrange's weight of the node at `node` (-1, 0, 1 or 2) for a point at `t`.
double CubicWeight(int64_t node, double t) {
  double weight = 1;
  for (int64_t other = -1; other <= 2; ++other) {
    if (other == node) continue;
    weight *=
        (t - static_cast<double>(other)) / static_cast<double>(node - other);
  }
  return weight;
}

// How the pixels of a cell come out of it and two cells on either side:
// [5, cell] float32, on the CPU.
at::Tensor InterpolationWeights(int64_t cell) {
  at::Tensor weights = at::zeros({kNodes, cell}, at::kFloat);
  auto weight = weights.accessor<float, 2>();
  for (int64_t pixel = 0; pixel < cell; ++pixel) {
    // From the middle of the cell, in cells.
    const double at =
        (static_cast<double>(pixel) + 0.5) / static_cast<double>(cell) - 0.5;
    const auto below = static_cast<int64_t>(std::floor(at));  // -1 or 0
    const double t = at - static_cast<double>(below);
    for (int64_t node = -1; node <= 2; ++node) {
      weight[below + node + kMargin][pixel] =
          static_cast<float>(CubicWeight(node, t));
    }
  }
  return weights;
}

// `size` pixels out of cells of which the first kMargin lie before pixel 0.
// [B,h,w] -> [B,size,w] for dimension 1, [B,h,size] for dimension 2.
at::Tensor Interpolate(int64_t dim, const at::Tensor& cells, int64_t cell,
                       int64_t size) {
  const at::Tensor weights = InterpolationWeights(cell).to(cells.device());
  const at::Tensor windows = cells.unfold(dim, kNodes, 1);  // [B,.,.,5]
  const at::Tensor pixels =
      dim == 2 ? at::matmul(windows, weights).flatten(2)
               : at::matmul(weights.t(), windows.transpose(2, 3)).flatten(1, 2);
  return pixels.narrow(dim, 0, size).contiguous();
}

// The map along one dimension as smoothed cells, kMargin more of them at each
// end than the map has.
at::Tensor SmoothCells(int64_t dim, const at::Tensor& maps, double sigma,
                       int64_t cell) {
  const double side = static_cast<double>(cell);
  const double box_variance = (side * side - 1) / 12;
  const std::vector<double> taps =
      GaussianTaps(std::sqrt(sigma * sigma - box_variance) / side, kCellCut);
  const int64_t half = static_cast<int64_t>(taps.size()) / 2;
  const at::Tensor first = maps.narrow(dim, 0, 1);
  const at::Tensor last = maps.narrow(dim, maps.size(dim) - 1, 1);
  return SumTaps(
      dim,
      Replicated(dim, CellMeans(dim, maps, cell), first, last, half + kMargin),
      taps);
}

}  // namespace

at::Tensor SmoothMaps(const at::Tensor& maps, double sigma_fraction) {
  assert(maps.dim() == 3 && sigma_fraction >= 0);
  if (sigma_fraction == 0) return maps;
  const double longer =
      static_cast<double>(std::max(maps.size(1), maps.size(2)));
  const double sigma = sigma_fraction * longer;
  if (sigma < kExactSigma) {
    return SmoothFinely(2, SmoothFinely(1, maps, sigma), sigma);
  }
  const auto cell = static_cast<int64_t>(sigma / kCoarsestSigma);
  const at::Tensor cells =
      SmoothCells(2, SmoothCells(1, maps, sigma, cell), sigma, cell);
  return Interpolate(2, Interpolate(1, cells, cell, maps.size(1)), cell,
                     maps.size(2));
}

}  // namespace saliency
