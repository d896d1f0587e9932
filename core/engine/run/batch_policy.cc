#include "core/engine/run/batch_policy.h"

#include <algorithm>
#include <cstddef>

namespace saliency {
namespace {

struct Prefix {
  int items = 0;
  int64_t rows = 0;
};

Prefix LongestThatFits(absl::Span<const int64_t> rows,
                       const BatchLimits& limits) {
  Prefix prefix;
  for (const int64_t more : rows) {
    if (prefix.items == limits.max_requests) break;
    if (prefix.items > 0 && more > limits.max_rows - prefix.rows) break;
    ++prefix.items;
    prefix.rows += more;
  }
  return prefix;
}

// A stepped row goes twice forward, and more than once back.
constexpr double kStepCost = 4;

int64_t Pixels(const BatchKey& key) {
  return key.input_height * key.input_width;
}

}  // namespace

int64_t RowsAtOnce(const BatchKey& key, const BatchLimits& limits) {
  int64_t rows = limits.max_rows;
  if (key.stepped && limits.max_stepped_rows > 0) {
    rows = std::min(rows, limits.max_stepped_rows);
  }
  if (limits.input_pixels == 0 || Pixels(key) <= limits.input_pixels) {
    return rows;
  }
  return std::max<int64_t>(rows * limits.input_pixels / Pixels(key), 1);
}

double RowCost(const BatchKey& key) {
  return static_cast<double>(Pixels(key)) * (key.stepped ? kStepCost : 1);
}

BatchDecision DecideBatch(const BatchCandidates& waiting, absl::Time now,
                          const BatchLimits& limits) {
  if (waiting.rows.empty()) return {};
  const Prefix prefix = LongestThatFits(waiting.rows, limits);
  const bool full =
      prefix.items == limits.max_requests || prefix.rows >= limits.max_rows ||
      static_cast<std::size_t>(prefix.items) < waiting.rows.size();
  const absl::Time close = waiting.oldest_arrival + limits.max_delay;
  if (full || waiting.arrivals == Arrivals::kEnded || now >= close ||
      waiting.earliest_deadline <= close) {
    return {.take = prefix.items};
  }
  return {.wake = close};
}

}  // namespace saliency
