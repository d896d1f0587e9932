#include "client/cli/evaluate/identity_check_metrics.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "client/cli/name_list.h"

namespace saliency {

const std::vector<std::string>& IdentityColumns() {
  static const auto* const columns = new std::vector<std::string>{
      "image",       "category",     "difficult",    "layer",
      "correlation", "identity_hit", "real_conv_hit"};
  return *columns;
}

std::vector<std::string> IdentityRow(const IdentityMeasurement& measured) {
  const auto flag = [](bool value) { return value ? "1" : "0"; };
  const auto& hits = measured.hits;
  return {measured.image, measured.category, flag(measured.difficult),
          measured.layer,
          // As many digits as give the same number back.
          measured.correlation.has_value()
              ? absl::StrFormat("%.17g", *measured.correlation)
              : "",
          hits.has_value() ? flag(hits->identity) : "",
          hits.has_value() ? flag(hits->real_conv) : ""};
}

absl::StatusOr<IdentityMeasurement> ParseIdentityRow(
    const std::vector<std::string>& row) {
  double correlation = 0;
  if (row.size() != IdentityColumns().size() ||
      !(row[4].empty() || absl::SimpleAtod(row[4], &correlation))) {
    return absl::InvalidArgumentError("no row of an identity check");
  }
  IdentityMeasurement measured = {.image = row[0],
                                  .category = row[1],
                                  .difficult = row[2] == "1",
                                  .layer = row[3]};
  if (!row[4].empty()) measured.correlation = correlation;
  if (!row[5].empty()) {
    measured.hits = {.identity = row[5] == "1", .real_conv = row[6] == "1"};
  }
  return measured;
}

void IdentityMetrics::Add(const IdentityMeasurement& measured) {
  correlations_[measured.layer][{measured.image, measured.category}] =
      measured.correlation;
  images_.insert(measured.image);
  AddOnce(measured.layer, layers_);
  if (!measured.hits.has_value()) return;
  PointingTrial trial = {.image = measured.image,
                         .category = measured.category,
                         .difficult = measured.difficult,
                         .method = measured.layer};
  trial.place = kIdentityMethod;
  trial.hit = measured.hits->identity;
  trials_.Add(trial);
  trial.place = kRealConvMethod;
  trial.hit = measured.hits->real_conv;
  trials_.Add(trial);
}

CorrelationSummary IdentityMetrics::Correlation(
    const std::string& layer) const {
  std::vector<std::optional<double>> correlations;
  for (const auto& [pair, correlation] : correlations_.at(layer)) {
    correlations.push_back(correlation);
  }
  return SummariseCorrelations(correlations);
}

std::optional<CorrelationSummary> IdentityMetrics::Differences(
    PointingSubset subset) const {
  std::vector<std::optional<double>> differences;
  for (const std::string& layer : layers_) {
    const auto difference = Difference(layer, subset);
    if (difference.has_value()) differences.emplace_back(difference->mean);
  }
  if (differences.empty()) return std::nullopt;
  return SummariseCorrelations(differences);
}

}  // namespace saliency
