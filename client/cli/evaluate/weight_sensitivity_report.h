// The outcome of a weight sensitivity as files: tables, numbers and plots of
// correlation against stage.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_REPORT_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/evaluate/weight_sensitivity_metrics.h"

namespace saliency {

// Stages down, methods and layers across, as Markdown.  `title` is one line
// that says what was measured, here and below.
std::string WeightSensitivityTables(const WeightSensitivityMetrics& metrics,
                                    const std::string& title);

// One line for each method, layer and stage.
std::string WeightSensitivityCsv(const WeightSensitivityMetrics& metrics);

// The same as one JSON object.
std::string WeightSensitivityJson(const WeightSensitivityMetrics& metrics,
                                  const std::string& title);

// Writes summary.md, summary.csv, summary.json, correlation.png and
// absolute_correlation.png.
// Errors: INVALID_ARGUMENT naming a file and the system's reason.
absl::Status WriteWeightSensitivityReport(
    const WeightSensitivityMetrics& metrics, const std::string& title,
    const std::string& folder);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_REPORT_H_
