// The outcome of a class sensitivity as files: tables, numbers and plots in the
// shapes of the paper's Figs. 6 and 7.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_REPORT_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/evaluate/class_sensitivity_metrics.h"

namespace saliency {

// Means and standard deviations by layer and combination, as Markdown.
// `title` is one line that says what was measured, here and below.
std::string ClassSensitivityTables(const ClassSensitivityMetrics& metrics,
                                   const std::string& title);

// One line for each method, place and step.
std::string ClassSensitivityCsv(const ClassSensitivityMetrics& metrics);

// The same as one JSON object.
std::string ClassSensitivityJson(const ClassSensitivityMetrics& metrics,
                                 const std::string& title);

// Writes summary.md, summary.csv, summary.json, correlation.png and, for what
// was measured after a meta step, correlation_meta.png.
// Errors: INVALID_ARGUMENT naming a file and the system's reason.
absl::Status WriteClassSensitivityReport(const ClassSensitivityMetrics& metrics,
                                         const std::string& title,
                                         const std::string& folder);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_REPORT_H_
