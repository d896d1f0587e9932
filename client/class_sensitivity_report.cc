#include "client/class_sensitivity_report.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/correlation_text.h"
#include "client/csv.h"
#include "client/markdown_table.h"
#include "client/plot_file.h"
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
std::string Table(const ClassSensitivityTally& tally,
                  const std::vector<std::string>& places, bool meta) {
  return MarkdownTable(
      "method", tally.methods(), places, [&](size_t row, size_t column) {
        return CorrelationCell(
            tally.Of(tally.methods()[row], places[column], meta));
      });
}

// Calls `use` with all that was measured.
template <typename Use>
void ForEach(const ClassSensitivityTally& tally, const Use& use) {
  for (const bool meta : kSteps) {
    const auto visit = [&](const std::string& method, const std::string& place,
                           bool combined) {
      const auto summary = tally.Of(method, place, meta);
      if (summary.has_value()) use(method, place, combined, meta, *summary);
    };
    for (const std::string& method : tally.methods()) {
      for (const std::string& place : tally.layers()) {
        visit(method, place, false);
      }
      for (const std::string& place : tally.combinations()) {
        visit(method, place, true);
      }
    }
  }
}

PlotSeries SeriesOf(const ClassSensitivityTally& tally,
                    const std::string& method, bool meta) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  PlotSeries line = {.name = method};
  for (const std::string& layer : tally.layers()) {
    const auto summary = tally.Of(method, layer, meta);
    const bool defined = summary.has_value() && summary->count > 0;
    line.values.push_back(defined ? summary->mean : kNone);
    line.errors.push_back(defined ? summary->standard_deviation : 0);
  }
  return line;
}

absl::Status Plot(const ClassSensitivityTally& tally, bool meta,
                  const std::string& path) {
  if (!tally.Has(meta) || tally.layers().empty()) return absl::OkStatus();
  std::vector<PlotSeries> series;
  for (const std::string& method : tally.methods()) {
    series.push_back(SeriesOf(tally, method, meta));
  }
  return WriteLinePlot(series,
                       {.title = Heading(meta),
                        .y_title = "rank correlation of the most and the "
                                   "least likely class's maps",
                        .x_labels = tally.layers(),
                        .y_min = -1,
                        .y_max = 1},
                       path);
}

}  // namespace

std::string ClassSensitivityTables(const ClassSensitivityTally& tally,
                                   const std::string& title) {
  std::string text = absl::StrCat(
      "# Class sensitivity\n\n", title, "\n\n", tally.pictures(),
      " pictures. Spearman's rank correlation between the maps of the most and "
      "the least likely class: mean +- standard deviation over the pictures "
      "where it is defined; nearer 0 is better.\n");
  for (const bool meta : kSteps) {
    if (!tally.Has(meta)) continue;
    absl::StrAppend(&text, "\n## ", Heading(meta), "\n");
    for (const auto* places : {&tally.layers(), &tally.combinations()}) {
      if (places->empty()) continue;
      absl::StrAppend(&text, "\n", Table(tally, *places, meta));
    }
  }
  return text;
}

std::string ClassSensitivityCsv(const ClassSensitivityTally& tally) {
  const std::vector<std::string> heading = {"method", "place",    "combined",
                                            "meta",   "mean",     "std",
                                            "count",  "undefined"};
  std::string text = CsvRow(heading) + "\n";
  ForEach(
      tally, [&](const std::string& method, const std::string& place,
                 bool combined, bool meta, const CorrelationSummary& summary) {
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

std::string ClassSensitivityJson(const ClassSensitivityTally& tally,
                                 const std::string& title) {
  nlohmann::json json = {{"title", title},
                         {"pictures", tally.pictures()},
                         {"results", nlohmann::json::array()}};
  ForEach(tally,
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

absl::Status WriteClassSensitivityReport(const ClassSensitivityTally& tally,
                                         const std::string& title,
                                         const std::string& folder) {
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.md",
                                      ClassSensitivityTables(tally, title)));
  RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/summary.csv", ClassSensitivityCsv(tally)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.json",
                                      ClassSensitivityJson(tally, title)));
  RETURN_IF_ERROR(Plot(tally, false, folder + "/correlation.png"));
  return Plot(tally, true, folder + "/correlation_meta.png");
}

}  // namespace saliency
