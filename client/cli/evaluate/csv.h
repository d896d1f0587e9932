// Rows of comma-separated values, as spreadsheets and pandas read them.
// Pure functions; safe from any thread.
//
// Source: RFC 4180, but for fields that hold a line break: it becomes a space,
// so that a row is a line.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_CSV_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_CSV_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace saliency {

// Without a line break.  A field that needs it is quoted.
std::string CsvRow(absl::Span<const std::string> fields);

// Errors: INVALID_ARGUMENT for a quote that is not closed or not alone.
absl::StatusOr<std::vector<std::string>> ParseCsvRow(absl::string_view row);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_CSV_H_
