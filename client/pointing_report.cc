#include "client/pointing_report.h"

#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/csv.h"
#include "client/enum_text.h"
#include "client/markdown_table.h"
#include "client/picture_files.h"
#include "client/plot_file.h"
#include "core/base/atomic_file.h"
#include "core/base/status.h"
#include "nlohmann/json.hpp"
#include "saliency/v1/explanation.pb.h"

namespace saliency {
namespace {

constexpr PointingSubset kSubsets[] = {PointingSubset::kAll,
                                       PointingSubset::kDifficult};

std::string Cell(const std::optional<PointingAccuracy>& accuracy) {
  return accuracy.has_value() ? PercentText(accuracy->accuracy) : "-";
}

// Methods down, `places` across.
std::string AccuracyTable(const PointingTally& tally,
                          const std::vector<std::string>& places,
                          PointingSubset subset) {
  return MarkdownTable(
      "method", tally.methods(), places, [&](size_t row, size_t column) {
        return Cell(
            tally.Accuracy(tally.methods()[row], places[column], subset));
      });
}

std::string GainTable(const PointingTally& tally, PointingSubset subset) {
  std::string table =
      "| method | best layer | accuracy | best combination | accuracy | gain "
      "|\n|---|---|---:|---|---:|---:|\n";
  for (const std::string& method : tally.methods()) {
    const auto layer = tally.Best(method, tally.layers(), subset);
    const auto combination = tally.Best(method, tally.combinations(), subset);
    if (!layer.has_value() || !combination.has_value()) continue;
    const auto gain = tally.Gain(method, *combination, *layer, subset);
    absl::StrAppend(&table, "| ", method, " | ", *layer, " | ",
                    Cell(tally.Accuracy(method, *layer, subset)), " | ",
                    *combination, " | ",
                    Cell(tally.Accuracy(method, *combination, subset)), " | ",
                    gain.has_value() ? PercentText(*gain) : "-", " |\n");
  }
  return table;
}

void AppendSubset(const PointingTally& tally, PointingSubset subset,
                  std::string& text) {
  const auto centre = tally.Centre(subset);
  if (!centre.has_value()) return;
  absl::StrAppendFormat(
      &text, "\n## %s: %d games, centre of the picture %s\n\n",
      SubsetName(subset), centre->games, PercentText(centre->accuracy));
  text += AccuracyTable(tally, tally.layers(), subset);
  if (tally.combinations().empty()) return;
  absl::StrAppend(&text, "\n",
                  AccuracyTable(tally, tally.combinations(), subset), "\n",
                  GainTable(tally, subset));
}

// Calls `use` with each place of each method, the centre first.
template <typename Use>
void ForEachPlace(const PointingTally& tally, const Use& use) {
  use("centre", "", false);
  for (const std::string& method : tally.methods()) {
    for (const std::string& layer : tally.layers()) use(method, layer, false);
    for (const std::string& name : tally.combinations()) {
      use(method, name, true);
    }
  }
}

nlohmann::json PlaceJson(const PointingTally& tally, const std::string& method,
                         const std::string& place) {
  nlohmann::json json;
  for (const PointingSubset subset : kSubsets) {
    const auto accuracy = tally.Accuracy(method, place, subset);
    if (!accuracy.has_value()) continue;
    nlohmann::json& numbers = json[SubsetName(subset)];
    numbers = {{"accuracy", accuracy->accuracy.mean},
               {"standard_error", accuracy->accuracy.standard_error},
               {"hits", accuracy->hits},
               {"games", accuracy->games},
               {"by_category", accuracy->by_category}};
    for (const auto& [category, count] : accuracy->counts) {
      numbers["counts"][category] = {{"hits", count.hits},
                                     {"games", count.games}};
    }
  }
  return json;
}

absl::Status PlotAccuracy(const PointingTally& tally, PointingSubset subset,
                          const std::string& path) {
  const auto centre = tally.Centre(subset);
  if (!centre.has_value()) return absl::OkStatus();
  std::vector<PlotSeries> series;
  for (const std::string& method : tally.methods()) {
    PlotSeries line = {.name = method};
    for (const std::string& layer : tally.layers()) {
      const auto accuracy = tally.Accuracy(method, layer, subset);
      constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
      line.values.push_back(accuracy.has_value() ? 100 * accuracy->accuracy.mean
                                                 : kNone);
      line.errors.push_back(
          accuracy.has_value() ? 100 * accuracy->accuracy.standard_error : 0);
    }
    series.push_back(std::move(line));
  }
  series.push_back({.name = "centre",
                    .values = std::vector<double>(tally.layers().size(),
                                                  100 * centre->accuracy.mean),
                    .dashed = true});
  return WriteLinePlot(
      series,
      {.title = absl::StrCat("Pointing game, ", SubsetName(subset)),
       .y_title = "accuracy, percent",
       .x_labels = tally.layers(),
       .y_min = 0,
       .y_max = 100},
      path);
}

absl::Status PlotWeights(const PointingTally& tally,
                         const std::vector<WeightCurve>& curves,
                         const std::string& path) {
  std::vector<PlotSeries> series;
  for (const WeightCurve& curve : curves) {
    if (curve.weights.size() != tally.layers().size()) continue;
    series.push_back({.name = curve.weighting, .values = curve.weights});
  }
  if (series.empty()) return absl::OkStatus();
  return WriteLinePlot(series,
                       {.title = "Weights of the layers",
                        .y_title = "share of the combination",
                        .x_labels = tally.layers()},
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

std::string PointingTables(const PointingTally& tally,
                           const PointingReportOptions& options) {
  std::string text = absl::StrCat(
      "# Pointing game\n\n", options.title, "\n\n", tally.pictures(),
      " pictures, ", tally.categories().size(),
      " categories. Accuracy in percent, the mean over the categories, with "
      "its standard error; a gain's error is that of paired differences.\n");
  for (const PointingSubset subset : kSubsets) {
    AppendSubset(tally, subset, text);
  }
  return text;
}

std::string PointingCsv(const PointingTally& tally) {
  std::vector<std::string> heading = {"method", "place",    "combined",
                                      "subset", "accuracy", "standard_error",
                                      "games"};
  heading.insert(heading.end(), tally.categories().begin(),
                 tally.categories().end());
  std::string text = CsvRow(heading) + "\n";
  ForEachPlace(tally, [&](const std::string& method, const std::string& place,
                          bool combined) {
    for (const PointingSubset subset : kSubsets) {
      const auto accuracy = tally.Accuracy(method, place, subset);
      if (!accuracy.has_value()) continue;
      std::vector<std::string> row = {
          method,
          place,
          combined ? "1" : "0",
          SubsetName(subset),
          absl::StrFormat("%.6f", accuracy->accuracy.mean),
          absl::StrFormat("%.6f", accuracy->accuracy.standard_error),
          absl::StrCat(accuracy->games)};
      for (const std::string& category : tally.categories()) {
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

std::string PointingJson(const PointingTally& tally,
                         const PointingReportOptions& options) {
  nlohmann::json json = {{"title", options.title},
                         {"pictures", tally.pictures()},
                         {"results", nlohmann::json::array()},
                         {"gains", nlohmann::json::array()}};
  ForEachPlace(tally, [&](const std::string& method, const std::string& place,
                          bool combined) {
    nlohmann::json entry = PlaceJson(tally, method, place);
    if (entry.empty()) return;
    entry["method"] = method;
    entry[combined ? "combination" : "layer"] = place;
    json["results"].push_back(std::move(entry));
  });
  for (const std::string& method : tally.methods()) {
    for (const PointingSubset subset : kSubsets) {
      const auto layer = tally.Best(method, tally.layers(), subset);
      const auto combination = tally.Best(method, tally.combinations(), subset);
      if (!layer.has_value() || !combination.has_value()) continue;
      const auto gain = tally.Gain(method, *combination, *layer, subset);
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

absl::Status WritePointingReport(const PointingTally& tally,
                                 const PointingReportOptions& options,
                                 const std::string& folder) {
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.md",
                                      PointingTables(tally, options)));
  RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/summary.csv", PointingCsv(tally)));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/summary.json",
                                      PointingJson(tally, options)));
  if (tally.layers().empty()) return absl::OkStatus();
  for (const PointingSubset subset : kSubsets) {
    RETURN_IF_ERROR(PlotAccuracy(
        tally, subset,
        absl::StrCat(folder, "/accuracy_", SubsetName(subset), ".png")));
  }
  return PlotWeights(tally, options.weights, folder + "/weights.png");
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
