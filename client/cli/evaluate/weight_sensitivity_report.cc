#include "client/cli/evaluate/weight_sensitivity_report.h"

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
#include "core/base/atomic_file.h"
#include "core/base/status.h"
#include "nlohmann/json.hpp"

namespace saliency {
namespace {

struct Measure {
  MapValues values;
  const char* heading;
  const char* key;  // of JSON objects and in file names
};
constexpr Measure kMeasures[] = {
    {MapValues::kSigned, "Correlation of the maps", "correlation"},
    {MapValues::kAbsolute, "Correlation of their absolute values",
     "absolute_correlation"}};

int64_t StagesOf(const WeightSensitivityMetrics& metrics) {
  return static_cast<int64_t>(metrics.stages().size());
}

// Stages down, curves across.
std::string Table(const WeightSensitivityMetrics& metrics, MapValues values) {
  std::vector<std::string> rows = metrics.stages();
  for (size_t stage = 2; stage < rows.size(); ++stage) {
    rows[stage].insert(0, "+ ");
  }
  return MarkdownTable(
      "made random", rows, metrics.curves(), [&](size_t stage, size_t column) {
        return CorrelationCell(metrics.Of(metrics.curves()[column],
                                          static_cast<int64_t>(stage), values));
      });
}

PlotSeries SeriesOf(const WeightSensitivityMetrics& metrics,
                    const std::string& curve, MapValues values) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  PlotSeries line = {.name = curve};
  for (int64_t stage = 0; stage < StagesOf(metrics); ++stage) {
    const auto summary = metrics.Of(curve, stage, values);
    const bool defined = summary.has_value() && summary->count > 0;
    line.values.push_back(defined ? summary->mean : kNone);
    line.errors.push_back(defined ? summary->standard_deviation : 0);
  }
  return line;
}

absl::Status Plot(const WeightSensitivityMetrics& metrics,
                  const Measure& measure, const std::string& folder) {
  std::vector<PlotSeries> series;
  for (const std::string& curve : metrics.curves()) {
    series.push_back(SeriesOf(metrics, curve, measure.values));
  }
  if (series.empty()) return absl::OkStatus();
  return WriteLinePlot(
      series,
      {.title = "Weights made random from the output backwards",
       .y_title = "rank correlation with the model as it is",
       .x_labels = metrics.stages(),
       .y_min = -1,
       .y_max = 1},
      absl::StrCat(folder, "/", measure.key, ".png"));
}

std::string NumberText(const std::optional<CorrelationSummary>& summary,
                       double CorrelationSummary::*field) {
  if (!summary.has_value() || summary->count == 0) return "";
  return absl::StrFormat("%.6f", *summary.*field);
}

}  // namespace

std::string WeightSensitivityTables(const WeightSensitivityMetrics& metrics,
                                    const std::string& title) {
  std::string text = absl::StrCat(
      "# Weight sensitivity\n\n", title, "\n\n", metrics.images(),
      " images. Spearman's rank correlation with the map of the model as it "
      "is, while the weights of its modules are made random one after another: "
      "mean +- standard deviation where it is defined. Maps that explain the "
      "model lose it.\n");
  for (const Measure& measure : kMeasures) {
    absl::StrAppend(&text, "\n## ", measure.heading, "\n\n",
                    Table(metrics, measure.values));
  }
  return text;
}

std::string WeightSensitivityCsv(const WeightSensitivityMetrics& metrics) {
  std::string text =
      CsvRow({"curve", "stage", "module", "mean", "std", "absolute_mean",
              "absolute_std", "count", "undefined"}) +
      "\n";
  for (const std::string& curve : metrics.curves()) {
    for (int64_t stage = 0; stage < StagesOf(metrics); ++stage) {
      const auto plain = metrics.Of(curve, stage, MapValues::kSigned);
      if (!plain.has_value()) continue;
      const auto absolute = metrics.Of(curve, stage, MapValues::kAbsolute);
      const std::vector<std::string> row = {
          curve,
          absl::StrCat(stage),
          metrics.stages()[stage],
          NumberText(plain, &CorrelationSummary::mean),
          NumberText(plain, &CorrelationSummary::standard_deviation),
          NumberText(absolute, &CorrelationSummary::mean),
          NumberText(absolute, &CorrelationSummary::standard_deviation),
          absl::StrCat(plain->count),
          absl::StrCat(plain->undefined)};
      absl::StrAppend(&text, CsvRow(row), "\n");
    }
  }
  return text;
}

std::string WeightSensitivityJson(const WeightSensitivityMetrics& metrics,
                                  const std::string& title) {
  nlohmann::json json = {{"title", title},
                         {"images", metrics.images()},
                         {"stages", metrics.stages()},
                         {"results", nlohmann::json::array()}};
  for (const std::string& curve : metrics.curves()) {
    for (int64_t stage = 0; stage < StagesOf(metrics); ++stage) {
      nlohmann::json entry = {{"curve", curve},
                              {"stage", stage},
                              {"module", metrics.stages()[stage]}};
      for (const Measure& measure : kMeasures) {
        const auto summary = metrics.Of(curve, stage, measure.values);
        if (!summary.has_value()) continue;
        nlohmann::json& numbers = entry[measure.key];
        numbers = {{"count", summary->count},
                   {"undefined", summary->undefined}};
        if (summary->count == 0) continue;
        numbers["mean"] = summary->mean;
        numbers["standard_deviation"] = summary->standard_deviation;
      }
      json["results"].push_back(std::move(entry));
    }
  }
  return json.dump(1) + "\n";
}

absl::Status WriteWeightSensitivityReport(
    const WeightSensitivityMetrics& metrics, const std::string& title,
    const std::string& folder) {
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.md",
                                      WeightSensitivityTables(metrics, title)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.csv",
                                      WeightSensitivityCsv(metrics)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.json",
                                      WeightSensitivityJson(metrics, title)));
  for (const Measure& measure : kMeasures) {
    RETURN_IF_ERROR(Plot(metrics, measure, folder));
  }
  return absl::OkStatus();
}

}  // namespace saliency
