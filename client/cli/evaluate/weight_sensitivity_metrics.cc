#include "client/cli/evaluate/weight_sensitivity_metrics.h"

#include <cstddef>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/name_list.h"

namespace saliency {
namespace {

constexpr char kAsItIs[] = "as it is";
// A journal comes from outside: a stage is the length of a list.
constexpr int64_t kMaxStages = 1 << 16;

// As many digits as give the same number back.
std::string TextOf(std::optional<double> correlation) {
  return correlation.has_value() ? absl::StrFormat("%.17g", *correlation) : "";
}

bool ParseCorrelation(const std::string& text,
                      std::optional<double>& correlation) {
  double value = 0;
  if (text.empty()) return true;
  if (!absl::SimpleAtod(text, &value)) return false;
  correlation = value;
  return true;
}

}  // namespace

const std::vector<std::string>& WeightSensitivityColumns() {
  static const auto* const columns = new std::vector<std::string>{
      "image", "target", "method",      "layer",
      "stage", "module", "correlation", "absolute_correlation"};
  return *columns;
}

std::vector<std::string> WeightSensitivityRow(
    const StageCorrelation& measured) {
  return {measured.image,
          absl::StrCat(measured.target),
          measured.method,
          measured.layer,
          absl::StrCat(measured.stage),
          measured.module,
          TextOf(measured.correlation),
          TextOf(measured.absolute_correlation)};
}

absl::StatusOr<StageCorrelation> ParseWeightSensitivityRow(
    const std::vector<std::string>& row) {
  StageCorrelation measured;
  if (row.size() != WeightSensitivityColumns().size() ||
      !absl::SimpleAtoi(row[1], &measured.target) ||
      !absl::SimpleAtoi(row[4], &measured.stage) || measured.stage < 0 ||
      measured.stage >= kMaxStages ||
      !ParseCorrelation(row[6], measured.correlation) ||
      !ParseCorrelation(row[7], measured.absolute_correlation)) {
    return absl::InvalidArgumentError("no row of a weight sensitivity");
  }
  measured.image = row[0];
  measured.method = row[2];
  measured.layer = row[3];
  measured.module = row[5];
  return measured;
}

std::string CurveName(const std::string& method, const std::string& layer) {
  return absl::StrCat(method, " @ ", layer);
}

void WeightSensitivityMetrics::Add(const StageCorrelation& measured) {
  const std::string curve = CurveName(measured.method, measured.layer);
  const auto which = std::make_pair(measured.image, measured.target);
  correlations_[{curve, measured.stage, MapValues::kSigned}][which] =
      measured.correlation;
  correlations_[{curve, measured.stage, MapValues::kAbsolute}][which] =
      measured.absolute_correlation;
  AddOnce(curve, curves_);
  images_.insert(measured.image);
  if (measured.stage >= static_cast<int64_t>(stages_.size())) {
    stages_.resize(measured.stage + 1);
  }
  stages_[measured.stage] = measured.stage == 0 ? kAsItIs : measured.module;
}

std::optional<CorrelationSummary> WeightSensitivityMetrics::Of(
    const std::string& curve, int64_t stage, MapValues values) const {
  const auto found = correlations_.find({curve, stage, values});
  if (found == correlations_.end()) return std::nullopt;
  std::vector<std::optional<double>> correlations;
  for (const auto& [which, correlation] : found->second) {
    correlations.push_back(correlation);
  }
  return SummariseCorrelations(correlations);
}

}  // namespace saliency
