#include "core/attribution/measures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "absl/types/span.h"
#include "core/attribution/postprocess.h"

namespace saliency {
namespace {

absl::Span<const float> Values(const at::Tensor& map) {
  return absl::MakeConstSpan(map.data_ptr<float>(),
                             static_cast<std::size_t>(map.numel()));
}

// Twice the rank's distance from the mean rank, average ranks for ties: whole
// numbers, so that sums of products are exact up to 2^53.
std::vector<double> CentredRanks(absl::Span<const float> values) {
  const auto count = static_cast<int64_t>(values.size());
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t i, int64_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (int64_t first = 0; first < count;) {
    int64_t last = first;
    while (last + 1 < count &&
           values[order[last + 1]] == values[order[first]]) {
      ++last;
    }
    const auto rank = static_cast<double>(first + last - (count - 1));
    for (int64_t i = first; i <= last; ++i) ranks[order[i]] = rank;
    first = last + 1;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double ab = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  const double aa = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
  const double bb = std::inner_product(b.begin(), b.end(), b.begin(), 0.0);
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

bool Varies(const MapSummary& summary) {
  return summary.finite && !summary.constant;
}

}  // namespace

std::vector<std::optional<double>> Spearman(const at::Tensor& a,
                                            const at::Tensor& b) {
  assert(a.dim() == 3 && a.sizes() == b.sizes());
  const std::vector<MapSummary> about_a = SummariseMaps(a);
  const std::vector<MapSummary> about_b = SummariseMaps(b);
  const at::Tensor on_cpu_a = a.to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor on_cpu_b = b.to(at::kCPU, at::kFloat).contiguous();
  std::vector<std::optional<double>> rho(a.size(0));
  for (int64_t row = 0; row < a.size(0); ++row) {
    if (!Varies(about_a[row]) || !Varies(about_b[row])) continue;
    rho[row] = Correlation(CentredRanks(Values(on_cpu_a[row])),
                           CentredRanks(Values(on_cpu_b[row])));
  }
  return rho;
}

}  // namespace saliency
