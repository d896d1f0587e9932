#include "client/cli/evaluate/class_sensitivity_report.h"

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

constexpr bool kSteps[] = {false, true};

std::string Heading(bool meta) {
  return meta ? "Class sensitivity after a meta step" : "Class sensitivity";
}

// Methods down, `places` across.
std::string Table(const ClassSensitivityMetrics& metrics,
                  const std::vector<std::string>& places, bool meta) {
  return MarkdownTable(
      "method", metrics.methods(), places, [&](size_t row, size_t column) {
        return CorrelationCell(
            metrics.Of(metrics.methods()[row], places[column], meta));
      });
}

// Calls `use` with all that was measured.
template <typename Use>
void ForEach(const ClassSensitivityMetrics& metrics, const Use& use) {
  for (const bool meta : kSteps) {
    const auto visit = [&](const std::string& method, const std::string& place,
                           bool combined) {
      const auto summary = metrics.Of(method, place, meta);
      if (summary.has_value()) use(method, place, combined, meta, *summary);
    };
    for (const std::string& method : metrics.methods()) {
      for (const std::string& place : metrics.layers()) {
        visit(method, place, false);
      }
      for (const std::string& place : metrics.combinations()) {
        visit(method, place, true);
      }
    }
  }
}

PlotSeries SeriesOf(const ClassSensitivityMetrics& metrics,
                    const std::string& method, bool meta) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  PlotSeries line = {.name = method};
  for (const std::string& layer : metrics.layers()) {
    const auto summary = metrics.Of(method, layer, meta);
    const bool defined = summary.has_value() && summary->count > 0;
    line.values.push_back(defined ? summary->mean : kNone);
    line.errors.push_back(defined ? summary->standard_deviation : 0);
  }
  return line;
}

absl::Status Plot(const ClassSensitivityMetrics& metrics, bool meta,
                  const std::string& path) {
  if (!metrics.Has(meta) || metrics.layers().empty()) return absl::OkStatus();
  std::vector<PlotSeries> series;
  for (const std::string& method : metrics.methods()) {
    series.push_back(SeriesOf(metrics, method, meta));
  }
  return WriteLinePlot(series,
                       {.title = Heading(meta),
                        .y_title = "rank correlation of the most and the "
                                   "least likely class's maps",
                        .x_labels = metrics.layers(),
                        .y_min = -1,
                        .y_max = 1},
                       path);
}

}  // namespace

std::string ClassSensitivityTables(const ClassSensitivityMetrics& metrics,
                                   const std::string& title) {
  std::string text = absl::StrCat(
      "# Class sensitivity\n\n", title, "\n\n", metrics.images(),
      " images. Spearman's rank correlation between the maps of the most and "
      "the least likely class: mean +- standard deviation over the images "
      "where it is defined; nearer 0 is better.\n");
  for (const bool meta : kSteps) {
    if (!metrics.Has(meta)) continue;
    absl::StrAppend(&text, "\n## ", Heading(meta), "\n");
    for (const auto* places : {&metrics.layers(), &metrics.combinations()}) {
      if (places->empty()) continue;
      absl::StrAppend(&text, "\n", Table(metrics, *places, meta));
    }
  }
  return text;
}

std::string ClassSensitivityCsv(const ClassSensitivityMetrics& metrics) {
  const std::vector<std::string> heading = {"method", "place",    "combined",
                                            "meta",   "mean",     "std",
                                            "count",  "undefined"};
  std::string text = CsvRow(heading) + "\n";
  ForEach(metrics, [&](const std::string& method, const std::string& place,
                       bool combined, bool meta,
                       const CorrelationSummary& summary) {
    const bool defined = summary.count > 0;
    const std::vector<std::string> row = {
        method,
        place,
        combined ? "1" : "0",
        meta ? "1" : "0",
        defined ? absl::StrFormat("%.6f", summary.mean) : "",
        defined ? absl::StrFormat("%.6f", summary.standard_deviation) : "",
        absl::StrCat(summary.count),
        absl::StrCat(summary.undefined)};
    absl::StrAppend(&text, CsvRow(row), "\n");
  });
  return text;
}

std::string ClassSensitivityJson(const ClassSensitivityMetrics& metrics,
                                 const std::string& title) {
  nlohmann::json json = {{"title", title},
                         {"images", metrics.images()},
                         {"results", nlohmann::json::array()}};
  ForEach(metrics,
          [&](const std::string& method, const std::string& place,
              bool combined, bool meta, const CorrelationSummary& summary) {
            nlohmann::json entry = {{"method", method},
                                    {combined ? "combination" : "layer", place},
                                    {"meta", meta},
                                    {"count", summary.count},
                                    {"undefined", summary.undefined}};
            if (summary.count > 0) {
              entry["mean"] = summary.mean;
              entry["standard_deviation"] = summary.standard_deviation;
            }
            json["results"].push_back(std::move(entry));
          });
  return json.dump(1) + "\n";
}

absl::Status WriteClassSensitivityReport(const ClassSensitivityMetrics& metrics,
                                         const std::string& title,
                                         const std::string& folder) {
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.md",
                                      ClassSensitivityTables(metrics, title)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.csv",
                                      ClassSensitivityCsv(metrics)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.json",
                                      ClassSensitivityJson(metrics, title)));
  RETURN_IF_ERROR(Plot(metrics, false, folder + "/correlation.png"));
  return Plot(metrics, true, folder + "/correlation_meta.png");
}

}  // namespace saliency
