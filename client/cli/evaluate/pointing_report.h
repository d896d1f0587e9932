// The outcome of a pointing game as files: tables, numbers and plots in the
// shapes of the paper's Tables 3, 5, 6 and Figs. 3 and 9.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_POINTING_REPORT_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_POINTING_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/evaluate/pointing_metrics.h"

namespace saliency {

// The layers' weights by one weighting; they sum to 1.
struct WeightCurve {
  std::string weighting;
  std::vector<double> weights;  // one for each layer

  bool operator==(const WeightCurve&) const = default;
};

struct PointingReportOptions {
  std::string title;                 // what was measured, one line
  std::vector<WeightCurve> weights;  // of the metrics's layers; empty: no plot
};

// "84.6 +- 1.2", in percent with the standard error.
std::string PercentText(const Measured& measured);

// Accuracies by layer and combination, best ones and gains, as Markdown.
std::string PointingTables(const PointingMetrics& metrics,
                           const PointingReportOptions& options);

// One line for each method, place and subset, categories across.
std::string PointingCsv(const PointingMetrics& metrics);

// The same as one JSON object, with hits and trials of each category.
std::string PointingJson(const PointingMetrics& metrics,
                         const PointingReportOptions& options);

// Writes summary.md, summary.csv, summary.json, accuracy_all.png,
// accuracy_difficult.png and, where there are weights, weights.png.
// Errors: INVALID_ARGUMENT naming a file and the system's reason.
absl::Status WritePointingReport(const PointingMetrics& metrics,
                                 const PointingReportOptions& options,
                                 const std::string& folder);

// The weights that a report in `folder` was written with; none where there is
// no report, or none with weights.
std::vector<WeightCurve> ReadWeightCurves(const std::string& folder);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_POINTING_REPORT_H_
