#include "client/cli/evaluate/pointing_report.h"

#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/enum_text.h"
#include "client/cli/evaluate/csv.h"
#include "client/cli/evaluate/markdown_table.h"
#include "client/cli/evaluate/plot_file.h"
#include "client/cli/image_files.h"
#include "core/base/atomic_file.h"
#include "core/base/status.h"
#include "nlohmann/json.hpp"
#include "saliency/v1/explanation.pb.h"

namespace saliency {
namespace {

std::string Cell(const std::optional<PointingAccuracy>& accuracy) {
  return accuracy.has_value() ? PercentText(accuracy->accuracy) : "-";
}

// Methods down, `places` across.
std::string AccuracyTable(const PointingMetrics& metrics,
                          const std::vector<std::string>& places,
                          PointingSubset subset) {
  return MarkdownTable(
      "method", metrics.methods(), places, [&](size_t row, size_t column) {
        return Cell(
            metrics.Accuracy(metrics.methods()[row], places[column], subset));
      });
}

std::string GainTable(const PointingMetrics& metrics, PointingSubset subset) {
  std::string table =
      "| method | best layer | accuracy | best combination | accuracy | gain "
      "|\n|---|---|---:|---|---:|---:|\n";
  for (const std::string& method : metrics.methods()) {
    const auto layer = metrics.Best(method, metrics.layers(), subset);
    const auto combination =
        metrics.Best(method, metrics.combinations(), subset);
    if (!layer.has_value() || !combination.has_value()) continue;
    const auto gain = metrics.Gain(method, *combination, *layer, subset);
    absl::StrAppend(&table, "| ", method, " | ", *layer, " | ",
                    Cell(metrics.Accuracy(method, *layer, subset)), " | ",
                    *combination, " | ",
                    Cell(metrics.Accuracy(method, *combination, subset)), " | ",
                    gain.has_value() ? PercentText(*gain) : "-", " |\n");
  }
  return table;
}

void AppendSubset(const PointingMetrics& metrics, PointingSubset subset,
                  std::string& text) {
  const auto centre = metrics.Centre(subset);
  if (!centre.has_value()) return;
  absl::StrAppendFormat(&text, "\n## %s: %d trials, centre of the image %s\n\n",
                        SubsetName(subset), centre->trials,
                        PercentText(centre->accuracy));
  text += AccuracyTable(metrics, metrics.layers(), subset);
  if (metrics.combinations().empty()) return;
  absl::StrAppend(&text, "\n",
                  AccuracyTable(metrics, metrics.combinations(), subset), "\n",
                  GainTable(metrics, subset));
}

// Calls `use` with each place of each method, the centre first.
template <typename Use>
void ForEachPlace(const PointingMetrics& metrics, const Use& use) {
  use("centre", "", false);
  for (const std::string& method : metrics.methods()) {
    for (const std::string& layer : metrics.layers()) use(method, layer, false);
    for (const std::string& name : metrics.combinations()) {
      use(method, name, true);
    }
  }
}

nlohmann::json PlaceJson(const PointingMetrics& metrics,
                         const std::string& method, const std::string& place) {
  nlohmann::json json;
  for (const PointingSubset subset : kPointingSubsets) {
    const auto accuracy = metrics.Accuracy(method, place, subset);
    if (!accuracy.has_value()) continue;
    nlohmann::json& numbers = json[SubsetName(subset)];
    numbers = {{"accuracy", accuracy->accuracy.mean},
               {"standard_error", accuracy->accuracy.standard_error},
               {"hits", accuracy->hits},
               {"trials", accuracy->trials},
               {"by_category", accuracy->by_category}};
    for (const auto& [category, count] : accuracy->counts) {
      numbers["counts"][category] = {{"hits", count.hits},
                                     {"trials", count.trials}};
    }
  }
  return json;
}

absl::Status PlotAccuracy(const PointingMetrics& metrics, PointingSubset subset,
                          const std::string& path) {
  const auto centre = metrics.Centre(subset);
  if (!centre.has_value()) return absl::OkStatus();
  std::vector<PlotSeries> series;
  for (const std::string& method : metrics.methods()) {
    PlotSeries line = {.name = method};
    for (const std::string& layer : metrics.layers()) {
      const auto accuracy = metrics.Accuracy(method, layer, subset);
      constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
      line.values.push_back(accuracy.has_value() ? 100 * accuracy->accuracy.mean
                                                 : kNone);
      line.errors.push_back(
          accuracy.has_value() ? 100 * accuracy->accuracy.standard_error : 0);
    }
    series.push_back(std::move(line));
  }
  series.push_back({.name = "centre",
                    .values = std::vector<double>(metrics.layers().size(),
                                                  100 * centre->accuracy.mean),
                    .dashed = true});
  return WriteLinePlot(
      series,
      {.title = absl::StrCat("Pointing game, ", SubsetName(subset)),
       .y_title = "accuracy, percent",
       .x_labels = metrics.layers(),
       .y_min = 0,
       .y_max = 100},
      path);
}

absl::Status PlotWeights(const PointingMetrics& metrics,
                         const std::vector<WeightCurve>& curves,
                         const std::string& path) {
  std::vector<PlotSeries> series;
  for (const WeightCurve& curve : curves) {
    if (curve.weights.size() != metrics.layers().size()) continue;
    series.push_back({.name = curve.weighting, .values = curve.weights});
  }
  if (series.empty()) return absl::OkStatus();
  return WriteLinePlot(series,
                       {.title = "Weights of the layers",
                        .y_title = "share of the combination",
                        .x_labels = metrics.layers()},
                       path);
}

// None where they are not what PointingJson writes.
std::vector<double> NumbersOf(const nlohmann::json& list) {
  std::vector<double> numbers;
  if (!list.is_array()) return numbers;
  for (const nlohmann::json& number : list) {
    if (!number.is_number()) return {};
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

}  // namespace

std::string PercentText(const Measured& measured) {
  return absl::StrFormat("%.1f +- %.1f", 100 * measured.mean,
                         100 * measured.standard_error);
}

std::string PointingTables(const PointingMetrics& metrics,
                           const PointingReportOptions& options) {
  std::string text = absl::StrCat(
      "# Pointing game\n\n", options.title, "\n\n", metrics.images(),
      " images, ", metrics.categories().size(),
      " categories. Accuracy in percent, the mean over the categories, with "
      "its standard error; a gain's error is that of paired differences.\n");
  for (const PointingSubset subset : kPointingSubsets) {
    AppendSubset(metrics, subset, text);
  }
  return text;
}

std::string PointingCsv(const PointingMetrics& metrics) {
  std::vector<std::string> heading = {"method", "place",    "combined",
                                      "subset", "accuracy", "standard_error",
                                      "trials"};
  heading.insert(heading.end(), metrics.categories().begin(),
                 metrics.categories().end());
  std::string text = CsvRow(heading) + "\n";
  ForEachPlace(metrics, [&](const std::string& method, const std::string& place,
                            bool combined) {
    for (const PointingSubset subset : kPointingSubsets) {
      const auto accuracy = metrics.Accuracy(method, place, subset);
      if (!accuracy.has_value()) continue;
      std::vector<std::string> row = {
          method,
          place,
          combined ? "1" : "0",
          SubsetName(subset),
          absl::StrFormat("%.6f", accuracy->accuracy.mean),
          absl::StrFormat("%.6f", accuracy->accuracy.standard_error),
          absl::StrCat(accuracy->trials)};
      for (const std::string& category : metrics.categories()) {
        const auto found = accuracy->by_category.find(category);
        row.push_back(found == accuracy->by_category.end()
                          ? ""
                          : absl::StrFormat("%.6f", found->second));
      }
      absl::StrAppend(&text, CsvRow(row), "\n");
    }
  });
  return text;
}

std::string PointingJson(const PointingMetrics& metrics,
                         const PointingReportOptions& options) {
  nlohmann::json json = {{"title", options.title},
                         {"images", metrics.images()},
                         {"results", nlohmann::json::array()},
                         {"gains", nlohmann::json::array()}};
  ForEachPlace(metrics, [&](const std::string& method, const std::string& place,
                            bool combined) {
    nlohmann::json entry = PlaceJson(metrics, method, place);
    if (entry.empty()) return;
    entry["method"] = method;
    entry[combined ? "combination" : "layer"] = place;
    json["results"].push_back(std::move(entry));
  });
  for (const std::string& method : metrics.methods()) {
    for (const PointingSubset subset : kPointingSubsets) {
      const auto layer = metrics.Best(method, metrics.layers(), subset);
      const auto combination =
          metrics.Best(method, metrics.combinations(), subset);
      if (!layer.has_value() || !combination.has_value()) continue;
      const auto gain = metrics.Gain(method, *combination, *layer, subset);
      if (!gain.has_value()) continue;
      json["gains"].push_back({{"method", method},
                               {"subset", SubsetName(subset)},
                               {"best_layer", *layer},
                               {"best_combination", *combination},
                               {"gain", gain->mean},
                               {"standard_error", gain->standard_error}});
    }
  }
  for (const WeightCurve& curve : options.weights) {
    json["weights"][curve.weighting] = curve.weights;
  }
  return json.dump(1) + "\n";
}

absl::Status WritePointingReport(const PointingMetrics& metrics,
                                 const PointingReportOptions& options,
                                 const std::string& folder) {
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.md",
                                      PointingTables(metrics, options)));
  RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/summary.csv", PointingCsv(metrics)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.json",
                                      PointingJson(metrics, options)));
  if (metrics.layers().empty()) return absl::OkStatus();
  for (const PointingSubset subset : kPointingSubsets) {
    RETURN_IF_ERROR(PlotAccuracy(
        metrics, subset,
        absl::StrCat(folder, "/accuracy_", SubsetName(subset), ".png")));
  }
  return PlotWeights(metrics, options.weights, folder + "/weights.png");
}

std::vector<WeightCurve> ReadWeightCurves(const std::string& folder) {
  const absl::StatusOr<std::string> text = ReadFile(folder + "/summary.json");
  if (!text.ok()) return {};
  const auto json = nlohmann::json::parse(*text, nullptr,
                                          /*allow_exceptions=*/false);
  const nlohmann::json weights =
      json.is_object() ? json.value("weights", nlohmann::json()) : json;
  std::vector<WeightCurve> curves;
  if (!weights.is_object()) return curves;
  const google::protobuf::EnumDescriptor& type = *v1::Weighting_descriptor();
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string name = EnumText(type, type.value(i)->number());
    const auto found = weights.find(name);
    if (found == weights.end()) continue;
    curves.push_back({.weighting = name, .weights = NumbersOf(*found)});
  }
  return curves;
}

}  // namespace saliency
