// Correlations of several images as one number with its spread.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_BASE_CORRELATION_SUMMARY_H_
#define SALIENCY_CORE_BASE_CORRELATION_SUMMARY_H_

#include <optional>

#include "absl/types/span.h"

namespace saliency {

struct CorrelationSummary {
  double mean = 0;                // of those that are defined; 0 when none is
  double standard_deviation = 0;  // division by their number
  int count = 0;                  // how many are defined
  int undefined = 0;              // how many are not
};

CorrelationSummary SummariseCorrelations(
    absl::Span<const std::optional<double>> correlations);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_CORRELATION_SUMMARY_H_
