// The outcome of an identity check as files: tables, numbers and plots in the
// shape of the paper's Table 4.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_REPORT_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/evaluate/identity_check_metrics.h"

namespace saliency {

// Correlations and, where there are boxes, accuracies and their differences by
// layer, as Markdown.  `title` is one line that says what was measured, here
// and below.
std::string IdentityTables(const IdentityMetrics& metrics,
                           const std::string& title);

// One line for each layer and, where there are boxes, each subset: all and
// difficult.
std::string IdentityCsv(const IdentityMetrics& metrics);

// The same as one JSON object.
std::string IdentityJson(const IdentityMetrics& metrics,
                         const std::string& title);

// Writes summary.md, summary.csv, summary.json, correlation.png and, where
// there are boxes, accuracy.png.
// Errors: INVALID_ARGUMENT naming a file and the system's reason.
absl::Status WriteIdentityReport(const IdentityMetrics& metrics,
                                 const std::string& title,
                                 const std::string& folder);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_REPORT_H_
