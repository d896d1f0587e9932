#include "core/base/correlation_summary.h"

#include <cmath>

namespace saliency {

CorrelationSummary SummariseCorrelations(
    absl::Span<const std::optional<double>> correlations) {
  CorrelationSummary summary;
  for (const std::optional<double>& correlation : correlations) {
    if (!correlation.has_value()) {
      ++summary.undefined;
      continue;
    }
    summary.mean += *correlation;
    ++summary.count;
  }
  if (summary.count == 0) return summary;
  summary.mean /= summary.count;
  // A second look: the difference of large sums would cancel.
  double squares = 0;
  for (const std::optional<double>& correlation : correlations) {
    if (!correlation.has_value()) continue;
    squares += (*correlation - summary.mean) * (*correlation - summary.mean);
  }
  summary.standard_deviation = std::sqrt(squares / summary.count);
  return summary;
}

}  // namespace saliency
