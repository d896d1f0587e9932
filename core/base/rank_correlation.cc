#include "core/base/rank_correlation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace saliency {
namespace {

bool AllFinite(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
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

}  // namespace

bool IsConstant(absl::Span<const float> values) {
  if (values.empty() || !AllFinite(values)) return false;
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  // In double: the difference of two floats can overflow.
  const double low = *min;
  const double high = *max;
  return high - low <=
         kConstantTolerance * std::max(std::abs(low), std::abs(high));
}

std::optional<double> RankCorrelation(absl::Span<const float> a,
                                      absl::Span<const float> b) {
  assert(a.size() == b.size());
  if (a.empty() || !AllFinite(a) || !AllFinite(b) || IsConstant(a) ||
      IsConstant(b)) {
    return std::nullopt;
  }
  return Correlation(CentredRanks(a), CentredRanks(b));
}

}  // namespace saliency
