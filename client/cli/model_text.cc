#include "client/cli/model_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/console.h"
#include "client/cli/enum_text.h"
#include "client/cli/json_line.h"
#include "core/base/utf8.h"

namespace saliency {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

// Columns as wide as their widest cell, two spaces between them.
void PrintTable(const std::vector<Row>& rows, std::ostream& out) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], Utf8Length(OneLine(row[i])));
    }
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = OneLine(row[i]);
      absl::StrAppend(&line, cell,
                      std::string(widths[i] - Utf8Length(cell) + 2, ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

// The state of the version that is described.
v1::ModelState StateOf(const v1::GetModelResponse& model) {
  for (const v1::ModelVersion& version : model.versions()) {
    if (version.version() == model.model().version()) return version.state();
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

std::string StateText(v1::ModelState state) {
  return EnumText(*v1::ModelState_descriptor(), state);
}

std::string ShapeText(const v1::Layer& layer) {
  return absl::StrJoin(layer.shape(), "x");
}

Json VersionJson(const v1::ModelVersion& version) {
  Json json = {{"version", version.version()},
               {"state", StateText(version.state())}};
  if (!version.message().empty()) json["message"] = version.message();
  return json;
}

template <typename Repeated>
Json VersionsJson(const Repeated& versions) {
  Json json = Json::array();
  for (const v1::ModelVersion& version : versions) {
    json.push_back(VersionJson(version));
  }
  return json;
}

std::string InputText(const v1::InputSpec& input) {
  std::string text =
      absl::StrCat(EnumText(*v1::Geometry_descriptor(), input.geometry()),
                   " to ", input.height(), "x", input.width());
  if (input.geometry() == v1::GEOMETRY_SHORTEST_SIDE) {
    text = absl::StrCat("shortest_side to ", input.resize());
  } else if (input.geometry() == v1::GEOMETRY_CENTRE_CROP) {
    absl::StrAppend(&text, " after shortest side to ", input.resize());
  }
  if (input.channels() != 0 && input.channels() != 3) {
    absl::StrAppend(&text, " of ", input.channels(), " channels");
  }
  return absl::StrCat(
      text, ", mean ", absl::StrJoin(input.mean(), " "), ", std ",
      absl::StrJoin(input.std(), " "), ", 255 is ", input.value_max(), ", ",
      EnumText(*v1::ChannelOrder_descriptor(), input.channel_order()));
}

Json InputJson(const v1::InputSpec& input) {
  return {{"height", input.height()},
          {"width", input.width()},
          {"channels", input.channels()},
          {"geometry", EnumText(*v1::Geometry_descriptor(), input.geometry())},
          {"resize", input.resize()}};
}

// "output 1 [5], not output 0 [64]".
std::string OutputText(const v1::ModelOutput& output) {
  std::string text = absl::StrCat(output.name(), " [",
                                  absl::StrJoin(output.shape(), ","), "]");
  if (output.others_size() > 0) {
    absl::StrAppend(&text, ", not ", absl::StrJoin(output.others(), ", "));
  }
  return text;
}

// "probabilities given, graph, ends in softmax".
std::string MeaningText(const v1::GetModelResponse& model) {
  const v1::OutputMeaning& output = model.output_meaning();
  std::string text = absl::StrCat(
      "probabilities ",
      EnumText(*v1::Probabilities_descriptor(), output.probabilities()), ", ",
      EnumText(*v1::OutputBasis_descriptor(), output.basis()));
  if (!output.activation().empty()) {
    absl::StrAppend(&text, ", ends in ", output.activation());
  }
  if (output.has_output_class()) {
    absl::StrAppend(&text, ", one output: that of class ",
                    output.output_class());
    if (output.output_class() < model.labels_size()) {
      absl::StrAppend(&text, ", ", model.labels(output.output_class()));
    }
  }
  return text;
}

Json OutputJson(const v1::ModelOutput& output) {
  return {{"name", output.name()},
          {"shape", output.shape()},
          {"others", output.others()}};
}

Json MeaningJson(const v1::OutputMeaning& output) {
  Json json = {
      {"probabilities",
       EnumText(*v1::Probabilities_descriptor(), output.probabilities())},
      {"basis", EnumText(*v1::OutputBasis_descriptor(), output.basis())},
      {"exclusive", output.exclusive()}};
  if (!output.activation().empty()) json["activation"] = output.activation();
  if (output.has_output_class()) json["output_class"] = output.output_class();
  return json;
}

std::string BecauseText(const std::string& text, const std::string& reason) {
  return reason.empty() ? text : absl::StrCat(text, ": ", reason);
}

std::string NumberText(bool measured, double number) {
  return measured ? absl::StrFormat("%.4g", number) : "-";
}

void PrintLayerWeights(const v1::LayerWeights& weights, std::ostream& out) {
  out << OneLine(absl::StrCat("calibrated ", weights.calibrated_at(), " on ",
                              weights.images(), " images of ",
                              weights.classes(), " classes: ", weights.data()))
      << '\n';
  std::vector<Row> rows = {{"LAYER", "FEATURE SPREAD", "ACCURACY"}};
  for (const v1::LayerCalibration& layer : weights.layers()) {
    rows.push_back(
        {layer.layer(),
         NumberText(layer.has_feature_spread(), layer.feature_spread()),
         NumberText(layer.has_classification_accuracy(),
                    layer.classification_accuracy())});
  }
  PrintTable(rows, out);
}

Json LayerWeightsJson(const v1::LayerWeights& weights) {
  Json json = {{"calibrated_at", weights.calibrated_at()},
               {"data", weights.data()},
               {"images", weights.images()},
               {"classes", weights.classes()}};
  Json& layers = json["layers"] = Json::array();
  for (const v1::LayerCalibration& layer : weights.layers()) {
    Json& out = layers.emplace_back(Json{{"layer", layer.layer()}});
    if (layer.has_feature_spread()) {
      out["feature_spread"] = layer.feature_spread();
    }
    if (layer.has_classification_accuracy()) {
      out["classification_accuracy"] = layer.classification_accuracy();
    }
  }
  return json;
}

void PrintVersions(const v1::GetModelResponse& model, std::ostream& out) {
  std::vector<Row> rows = {{"VERSION", "STATE", "MESSAGE"}};
  for (const v1::ModelVersion& version : model.versions()) {
    rows.push_back({absl::StrCat(version.version()), StateText(version.state()),
                    version.message()});
  }
  PrintTable(rows, out);
}

// Of a version that is not ready nothing else is known.
void PrintStates(const v1::GetModelResponse& model, std::ostream& out) {
  out << OneLine(absl::StrCat(
             model.model().name(), "/", model.model().version(), " is ",
             StateOf(model) == v1::MODEL_STATE_FAILED
                 ? "not served"
                 : "not ready yet: its layers, methods and input are known "
                   "when it is"))
      << "\n\n";
  PrintVersions(model, out);
}

}  // namespace

void PrintModelList(const v1::ListModelsResponse& response, std::ostream& out) {
  std::vector<Row> rows = {{"MODEL", "VERSION", "STATE", "MESSAGE"}};
  for (const v1::ModelSummary& model : response.models()) {
    for (const v1::ModelVersion& version : model.versions()) {
      rows.push_back({model.name(), absl::StrCat(version.version()),
                      StateText(version.state()), version.message()});
    }
    if (model.versions().empty()) rows.push_back({model.name(), "-", "empty"});
  }
  PrintTable(rows, out);
}

void PrintModel(const v1::GetModelResponse& model, std::ostream& out) {
  if (StateOf(model) != v1::MODEL_STATE_READY) return PrintStates(model, out);
  const v1::ModelConfig& config = model.config();
  std::vector<Row> rows = {{"model", model.model().name()},
                           {"version", absl::StrCat(model.model().version())},
                           {"classes", absl::StrCat(model.num_classes())},
                           {"labels", absl::StrCat(model.labels_size())},
                           {"input", InputText(config.input())}};
  if (model.has_output_meaning()) {
    rows.push_back({"outputs are", MeaningText(model)});
  }
  rows.push_back(
      {"default layers", absl::StrJoin(config.default_layers(), " ")});
  rows.push_back(
      {"combine layers", absl::StrJoin(config.combine_layers(), " ")});
  rows.push_back({"calibrated", model.has_layer_weights() ? "yes" : "no"});
  rows.push_back({"rows independent",
                  model.rows_independent()
                      ? "yes"
                      : BecauseText("no", model.rows_depend_because())});
  rows.push_back(
      {"deterministic", model.deterministic()
                            ? "yes"
                            : BecauseText("no", model.random_operator())});
  rows.push_back(
      {"targets share work", model.targets_share_work() ? "yes" : "no"});
  rows.push_back({"output", OutputText(model.output())});
  rows.push_back({"sha256", model.sha256()});
  PrintTable(rows, out);

  out << '\n';
  PrintVersions(model, out);

  rows = {{"LAYER", "KIND", "SHAPE", "", ""}};
  for (const v1::Layer& layer : model.layers()) {
    rows.push_back({layer.name(), layer.kind(), ShapeText(layer),
                    layer.is_cut() ? "cut" : "",
                    layer.no_maps_because().empty()
                        ? layer.note()
                        : absl::StrCat("no maps: ", layer.no_maps_because())});
  }
  out << '\n';
  PrintTable(rows, out);

  if (model.has_layer_weights()) {
    out << '\n';
    PrintLayerWeights(model.layer_weights(), out);
  }

  rows = {{"METHOD", "SIGNED", "LAYERS", "SUMMARY"}};
  for (const v1::Method& method : model.methods()) {
    rows.push_back(
        {method.name(), method.is_signed() ? "yes" : "no",
         method.layers().empty() ? "all" : absl::StrJoin(method.layers(), " "),
         method.summary()});
  }
  out << '\n';
  PrintTable(rows, out);

  if (model.method_refusals().empty()) return;
  rows = {{"METHOD", "REFUSED BECAUSE"}};
  for (const v1::MethodRefusal& refusal : model.method_refusals()) {
    rows.push_back({refusal.name(), refusal.reason()});
  }
  out << '\n';
  PrintTable(rows, out);
}

std::string ModelSummaryJson(const v1::ModelSummary& model) {
  return JsonLine(
      {{"name", model.name()}, {"versions", VersionsJson(model.versions())}});
}

std::string ModelJson(const v1::GetModelResponse& model) {
  const v1::ModelConfig& config = model.config();
  if (StateOf(model) != v1::MODEL_STATE_READY) {
    return JsonLine({{"name", model.model().name()},
                     {"version", model.model().version()},
                     {"versions", VersionsJson(model.versions())}});
  }
  Json json = {{"name", model.model().name()},
               {"version", model.model().version()},
               {"versions", VersionsJson(model.versions())},
               {"num_classes", model.num_classes()},
               {"labels", model.labels()},
               {"input", InputJson(config.input())},
               {"default_layers", config.default_layers()},
               {"combine_layers", config.combine_layers()},
               {"rows_independent", model.rows_independent()},
               {"deterministic", model.deterministic()},
               {"targets_share_work", model.targets_share_work()},
               {"output", OutputJson(model.output())},
               {"sha256", model.sha256()}};
  if (model.has_output_meaning()) {
    json["output_meaning"] = MeaningJson(model.output_meaning());
  }
  Json& layers = json["layers"] = Json::array();
  for (const v1::Layer& layer : model.layers()) {
    Json& out = layers.emplace_back(Json{{"name", layer.name()},
                                         {"kind", layer.kind()},
                                         {"shape", layer.shape()},
                                         {"is_cut", layer.is_cut()}});
    if (!layer.no_maps_because().empty()) {
      out["no_maps_because"] = layer.no_maps_because();
    }
    if (!layer.note().empty()) out["note"] = layer.note();
  }
  if (model.has_layer_weights()) {
    json["layer_weights"] = LayerWeightsJson(model.layer_weights());
  }
  Json& methods = json["methods"] = Json::array();
  for (const v1::Method& method : model.methods()) {
    methods.push_back({{"name", method.name()},
                       {"summary", method.summary()},
                       {"formula", method.formula()},
                       {"source", method.source()},
                       {"is_signed", method.is_signed()},
                       {"layers", method.layers()},
                       {"aliases", method.aliases()}});
  }
  if (!model.method_refusals().empty()) {
    Json& refusals = json["method_refusals"] = Json::array();
    for (const v1::MethodRefusal& refusal : model.method_refusals()) {
      refusals.push_back(
          {{"name", refusal.name()}, {"reason", refusal.reason()}});
    }
  }
  return JsonLine(json);
}

void PrintCalibration(const v1::CalibrationResult& result, std::ostream& out) {
  out << OneLine(absl::StrCat(
             result.model().name(), "/", result.model().version(),
             ": classifiers learned ", "from ", result.training_images(),
             " images and were judged ", "by ", result.held_out_images()))
      << '\n';
  PrintLayerWeights(result.layer_weights(), out);
}

std::string CalibrationJson(const v1::CalibrationResult& result) {
  Json json = {{"model", result.model().name()},
               {"version", result.model().version()},
               {"layer_weights", LayerWeightsJson(result.layer_weights())},
               {"stored", result.stored().code() == 0},
               {"training_images", result.training_images()},
               {"held_out_images", result.held_out_images()},
               {"file_text", result.file_text()}};
  if (result.stored().code() != 0) {
    json["not_stored"] = result.stored().message();
  }
  Json& left_out = json["left_out"] = Json::array();
  for (const v1::LeftOutClass& one : result.left_out()) {
    left_out.push_back({{"class_index", one.class_index()},
                        {"label", one.label()},
                        {"reason", one.reason()}});
  }
  return JsonLine(json);
}

}  // namespace saliency
