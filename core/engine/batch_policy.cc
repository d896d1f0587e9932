#include "core/engine/batch_policy.h"

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

}  // namespace

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
