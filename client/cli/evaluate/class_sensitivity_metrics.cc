#include "client/cli/evaluate/class_sensitivity_metrics.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/name_list.h"

namespace saliency {
const std::vector<std::string>& ClassSensitivityColumns() {
  static const auto* const columns = new std::vector<std::string>{
      "image", "method",      "place",        "combined",
      "meta",  "most_likely", "least_likely", "correlation"};
  return *columns;
}

std::vector<std::string> ClassSensitivityRow(const ClassCorrelation& measured) {
  return {measured.image, measured.method, measured.place,
          measured.combined ? "1" : "0", measured.meta ? "1" : "0",
          absl::StrCat(measured.most_likely),
          absl::StrCat(measured.least_likely),
          // As many digits as give the same number back.
          measured.correlation.has_value()
              ? absl::StrFormat("%.17g", *measured.correlation)
              : ""};
}

absl::StatusOr<ClassCorrelation> ParseClassSensitivityRow(
    const std::vector<std::string>& row) {
  ClassCorrelation measured;
  double correlation = 0;
  if (row.size() != ClassSensitivityColumns().size() ||
      !absl::SimpleAtoi(row[5], &measured.most_likely) ||
      !absl::SimpleAtoi(row[6], &measured.least_likely) ||
      !(row[7].empty() || absl::SimpleAtod(row[7], &correlation))) {
    return absl::InvalidArgumentError("no row of a class sensitivity");
  }
  measured.image = row[0];
  measured.method = row[1];
  measured.place = row[2];
  measured.combined = row[3] == "1";
  measured.meta = row[4] == "1";
  if (!row[7].empty()) measured.correlation = correlation;
  return measured;
}

void ClassSensitivityMetrics::Add(const ClassCorrelation& measured) {
  correlations_[{measured.method, measured.place, measured.meta}]
               [measured.image] = measured.correlation;
  images_.insert(measured.image);
  steps_.insert(measured.meta);
  AddOnce(measured.method, methods_);
  AddOnce(measured.place, measured.combined ? combinations_ : layers_);
}

std::optional<CorrelationSummary> ClassSensitivityMetrics::Of(
    const std::string& method, const std::string& place, bool meta) const {
  const auto found = correlations_.find({method, place, meta});
  if (found == correlations_.end()) return std::nullopt;
  std::vector<std::optional<double>> correlations;
  for (const auto& [image, correlation] : found->second) {
    correlations.push_back(correlation);
  }
  return SummariseCorrelations(correlations);
}

}  // namespace saliency
