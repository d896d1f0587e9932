#include "core/base/rank_correlation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace saliency {
namespace {

bool AllFinite(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

// A value and where it stands.
struct Pixel {
  uint32_t key = 0;  // ordered as the values are; both zeros have the same
  uint32_t index = 0;
};

uint32_t KeyOf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value + 0.0F);  // -0 becomes 0
  constexpr uint32_t kSign = 0x80000000U;
  return (bits & kSign) != 0 ? ~bits : bits ^ kSign;
}

// From the smallest to the largest, by counting digits of the keys: a sweep
// ranks thousands of maps, and a sort by comparisons takes five times as long.
// REQUIRES: finite values, fewer than 2^32.
std::vector<Pixel> Sorted(absl::Span<const float> values) {
  constexpr int kDigitBits = 11;  // three digits make 32 bits
  constexpr uint32_t kDigits = 1U << kDigitBits;
  std::vector<Pixel> pixels(values.size());
  std::vector<Pixel> next(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    pixels[i] = {.key = KeyOf(values[i]), .index = static_cast<uint32_t>(i)};
  }
  for (int shift = 0; shift < 32; shift += kDigitBits) {
    const auto digit = [shift](const Pixel& pixel) {
      return (pixel.key >> shift) & (kDigits - 1);
    };
    std::array<std::size_t, kDigits + 1> starts = {};
    for (const Pixel& pixel : pixels) ++starts[digit(pixel) + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    for (const Pixel& pixel : pixels) next[starts[digit(pixel)]++] = pixel;
    pixels.swap(next);
  }
  return pixels;
}

// Twice the rank's distance from the mean rank, average ranks for ties: whole
// numbers, so that sums of products are exact up to 2^53.
std::vector<double> CentredRanks(absl::Span<const float> values) {
  const auto count = static_cast<int64_t>(values.size());
  const std::vector<Pixel> order = Sorted(values);
  std::vector<double> ranks(values.size());
  for (int64_t first = 0; first < count;) {
    int64_t last = first;
    while (last + 1 < count && order[last + 1].key == order[first].key) ++last;
    const auto rank = static_cast<double>(first + last - (count - 1));
    for (int64_t i = first; i <= last; ++i) ranks[order[i].index] = rank;
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
