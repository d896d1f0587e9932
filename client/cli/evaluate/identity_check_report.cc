#include "client/cli/evaluate/identity_check_report.h"

#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/evaluate/correlation_text.h"
#include "client/cli/evaluate/csv.h"
#include "client/cli/evaluate/markdown_table.h"
#include "client/cli/evaluate/plot_file.h"
#include "client/cli/evaluate/pointing_report.h"
#include "core/base/atomic_file.h"
#include "core/base/status.h"
#include "nlohmann/json.hpp"

namespace saliency {
namespace {

constexpr const char* kMethods[] = {kIdentityMethod, kRealConvMethod};
constexpr double kNoMean = std::numeric_limits<double>::quiet_NaN();

std::string AccuracyCell(const std::optional<PointingAccuracy>& accuracy) {
  return accuracy.has_value() ? PercentText(accuracy->accuracy) : "-";
}

std::string CorrelationTable(const IdentityMetrics& metrics) {
  return MarkdownTable(
      "layer", metrics.layers(), {"correlation"}, [&](size_t row, size_t) {
        return CorrelationCell(metrics.Correlation(metrics.layers()[row]));
      });
}

std::string DifferenceTable(const IdentityMetrics& metrics,
                            PointingSubset subset) {
  const auto differences = metrics.Differences(subset);
  if (!differences.has_value()) return "";
  const auto cell = [&](size_t row, size_t column) -> std::string {
    const std::string& layer = metrics.layers()[row];
    if (column < std::size(kMethods)) {
      return AccuracyCell(metrics.Accuracy(layer, kMethods[column], subset));
    }
    const auto difference = metrics.Difference(layer, subset);
    return difference.has_value() ? PercentText(*difference) : "-";
  };
  std::string table = absl::StrCat(
      "\n## Pointing game, ", SubsetName(subset), "\n\n",
      MarkdownTable("layer", metrics.layers(),
                    {kIdentityMethod, kRealConvMethod, "difference"}, cell));
  absl::StrAppendFormat(
      &table,
      "\nDifference over the layers: %.2f +- %.2f points (mean +- standard "
      "deviation).\n",
      100 * differences->mean, 100 * differences->standard_deviation);
  return table;
}

nlohmann::json TrialsJson(const IdentityMetrics& metrics,
                          const std::string& layer, PointingSubset subset) {
  nlohmann::json json;
  for (const char* method : kMethods) {
    const auto accuracy = metrics.Accuracy(layer, method, subset);
    if (!accuracy.has_value()) return json;
    json[method] = {{"accuracy", accuracy->accuracy.mean},
                    {"standard_error", accuracy->accuracy.standard_error}};
    json["trials"] = accuracy->trials;
  }
  const auto difference = metrics.Difference(layer, subset);
  json["difference"] = difference->mean;
  json["difference_standard_error"] = difference->standard_error;
  return json;
}

absl::Status PlotCorrelation(const IdentityMetrics& metrics,
                             const std::string& path) {
  PlotSeries line = {.name = "data set"};
  bool any = false;
  for (const std::string& layer : metrics.layers()) {
    const CorrelationSummary summary = metrics.Correlation(layer);
    any = any || summary.count > 0;
    line.values.push_back(summary.count > 0 ? summary.mean : kNoMean);
    line.errors.push_back(summary.standard_deviation);
  }
  if (!any) return absl::OkStatus();
  return WriteLinePlot(
      {line},
      {.title = "Identity check",
       .y_title = "rank correlation with and without the identity",
       .x_labels = metrics.layers()},
      path);
}

absl::Status PlotAccuracy(const IdentityMetrics& metrics,
                          const std::string& path) {
  if (!metrics.Differences(PointingSubset::kAll).has_value()) {
    return absl::OkStatus();
  }
  std::vector<PlotSeries> series;
  for (const char* method : kMethods) {
    PlotSeries line = {.name = method};
    for (const std::string& layer : metrics.layers()) {
      const auto accuracy =
          metrics.Accuracy(layer, method, PointingSubset::kAll);
      line.values.push_back(accuracy.has_value() ? 100 * accuracy->accuracy.mean
                                                 : kNoMean);
      line.errors.push_back(
          accuracy.has_value() ? 100 * accuracy->accuracy.standard_error : 0);
    }
    series.push_back(std::move(line));
  }
  return WriteLinePlot(series,
                       {.title = "Pointing game with and without the identity",
                        .y_title = "accuracy, percent",
                        .x_labels = metrics.layers(),
                        .y_min = 0,
                        .y_max = 100},
                       path);
}

}  // namespace

std::string IdentityTables(const IdentityMetrics& metrics,
                           const std::string& title) {
  std::string text = absl::StrCat(
      "# Identity check\n\n", title, "\n\n", metrics.images(),
      " images. Spearman's rank correlation between the maps of ",
      kIdentityMethod, " at a convolution's output and of ", kRealConvMethod,
      " of that convolution, at its resolution: mean +- standard deviation "
      "where it is defined. Accuracies in percent with their standard error; "
      "a difference's error is that of paired differences.\n");
  absl::StrAppend(&text, "\n", CorrelationTable(metrics));
  for (const PointingSubset subset : kPointingSubsets) {
    text += DifferenceTable(metrics, subset);
  }
  return text;
}

std::string IdentityCsv(const IdentityMetrics& metrics) {
  std::string text =
      CsvRow({"layer", "mean", "std", "count", "undefined", "subset",
              "identity_accuracy", "real_conv_accuracy", "difference",
              "difference_standard_error"}) +
      "\n";
  for (const std::string& layer : metrics.layers()) {
    const CorrelationSummary summary = metrics.Correlation(layer);
    const std::vector<std::string> correlation = {
        layer, summary.count > 0 ? absl::StrFormat("%.6f", summary.mean) : "",
        summary.count > 0 ? absl::StrFormat("%.6f", summary.standard_deviation)
                          : "",
        absl::StrCat(summary.count), absl::StrCat(summary.undefined)};
    for (const PointingSubset subset : kPointingSubsets) {
      const auto difference = metrics.Difference(layer, subset);
      if (!difference.has_value() && subset != PointingSubset::kAll) continue;
      std::vector<std::string> row = correlation;
      row.push_back(SubsetName(subset));
      for (const char* method : kMethods) {
        const auto accuracy = metrics.Accuracy(layer, method, subset);
        row.push_back(accuracy.has_value()
                          ? absl::StrFormat("%.6f", accuracy->accuracy.mean)
                          : "");
      }
      row.push_back(difference.has_value()
                        ? absl::StrFormat("%.6f", difference->mean)
                        : "");
      row.push_back(difference.has_value()
                        ? absl::StrFormat("%.6f", difference->standard_error)
                        : "");
      absl::StrAppend(&text, CsvRow(row), "\n");
    }
  }
  return text;
}

std::string IdentityJson(const IdentityMetrics& metrics,
                         const std::string& title) {
  nlohmann::json json = {{"title", title},
                         {"images", metrics.images()},
                         {"results", nlohmann::json::array()}};
  for (const std::string& layer : metrics.layers()) {
    const CorrelationSummary summary = metrics.Correlation(layer);
    nlohmann::json entry = {{"layer", layer},
                            {"count", summary.count},
                            {"undefined", summary.undefined}};
    if (summary.count > 0) {
      entry["mean"] = summary.mean;
      entry["standard_deviation"] = summary.standard_deviation;
    }
    for (const PointingSubset subset : kPointingSubsets) {
      nlohmann::json trials = TrialsJson(metrics, layer, subset);
      if (!trials.empty()) entry[SubsetName(subset)] = std::move(trials);
    }
    json["results"].push_back(std::move(entry));
  }
  for (const PointingSubset subset : kPointingSubsets) {
    const auto differences = metrics.Differences(subset);
    if (!differences.has_value()) continue;
    json["differences"][SubsetName(subset)] = {
        {"mean", differences->mean},
        {"standard_deviation", differences->standard_deviation}};
  }
  return json.dump(1) + "\n";
}

absl::Status WriteIdentityReport(const IdentityMetrics& metrics,
                                 const std::string& title,
                                 const std::string& folder) {
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.md",
                                      IdentityTables(metrics, title)));
  RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/summary.csv", IdentityCsv(metrics)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.json",
                                      IdentityJson(metrics, title)));
  if (metrics.layers().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(PlotCorrelation(metrics, folder + "/correlation.png"));
  return PlotAccuracy(metrics, folder + "/accuracy.png");
}

}  // namespace saliency
