#include "client/cli/result_text.h"

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/console.h"
#include "client/cli/enum_text.h"
#include "client/cli/json_line.h"
#include "client/cli/map_pixels.h"
#include "client/error_details.h"

namespace saliency {
namespace {

using Json = nlohmann::ordered_json;

// The double with the shortest digits that give back this float: 0.1F prints as
// 0.1 and not as 0.10000000149011612.
double Shortest(float value) {
  char digits[64];
  const auto end =
      std::to_chars(digits, digits + sizeof(digits) - 1, value).ptr;
  *end = '\0';
  return std::strtod(digits, nullptr);
}

Json ClassJson(const v1::ClassScore& score) {
  Json json = {{"index", score.class_index()}};
  if (!score.label().empty()) json["label"] = score.label();
  json["logit"] = Shortest(score.logit());
  if (score.has_probability()) {
    json["probability"] = Shortest(score.probability());
  }
  return json;
}

Json ErrorOf(const absl::Status& status) {
  Json error = {{"code", std::string(absl::StatusCodeToString(status.code()))},
                {"message", std::string(status.message())}};
  if (std::string reason = ErrorReasonOf(status); !reason.empty()) {
    error["reason"] = std::move(reason);
  }
  for (const FieldViolation& violation : FieldViolationsOf(status)) {
    error["violations"].push_back(
        {{"field", violation.field}, {"description", violation.description}});
  }
  return error;
}

Json SecondsJson(const ImageAnswer& answer) {
  const v1::Timing& timing = answer.response.summary().timing();
  return {{"total", absl::ToDoubleSeconds(answer.took)},
          {"decode", timing.decode_seconds()},
          {"queue", timing.queue_seconds()},
          {"forward", timing.forward_seconds()},
          {"backward", timing.backward_seconds()},
          {"aggregate", timing.aggregate_seconds()},
          {"render", timing.render_seconds()}};
}

void AddMap(const v1::SaliencyMap& map, Json& json) {
  json["class"] = ClassJson(map.explained_class());
  if (!map.others().empty()) json["others"] = map.others();
  json["score"] = Shortest(map.score());
  json["point"] = {{"y", map.point().y()}, {"x", map.point().x()}};
  json["image_point"] = {{"y", map.image_point().y()},
                         {"x", map.image_point().x()}};
  json["height"] = map.height();
  json["width"] = map.width();
  json["raw_min"] = Shortest(map.raw_min());
  json["raw_max"] = Shortest(map.raw_max());
  json["constant"] = map.constant();
  if (!map.warning().empty()) json["warning"] = map.warning();
  if (map.has_completeness_gap()) {
    json["completeness_gap"] = map.completeness_gap();
  }
  if (map.has_region()) {
    json["region"] = {{"y", map.region().y()},
                      {"x", map.region().x()},
                      {"height", map.region().height()},
                      {"width", map.region().width()}};
  }
}

// What kind of file it is.
const char* ImageKey(const std::string& path) {
  switch (CodingFor(path)) {
    case ImageCoding::kJpeg:
      return "jpg";
    case ImageCoding::kWebp:
      return "webp";
    case ImageCoding::kPng:
      break;
  }
  return "png";
}

std::string NameText(const v1::ClassScore& score) {
  if (!score.label().empty()) {
    return absl::StrCat(score.label(), " (", score.class_index(), ")");
  }
  return absl::StrCat(score.has_probability() ? "class " : "output ",
                      score.class_index());
}

// "tabby (281) 93.2 %", or "age (0) 31.4" of a plain value.
std::string NumberedText(const v1::ClassScore& score) {
  if (!score.has_probability()) {
    return absl::StrFormat("%s %.6g", NameText(score), score.logit());
  }
  return absl::StrFormat("%s %.1f %%", NameText(score),
                         100 * score.probability());
}

// Null: the map is no combination.
const v1::CombinedMap* CombinedOf(const ImageAnswer& answer, int map_index) {
  if (map_index >= static_cast<int>(answer.combined.size())) return nullptr;
  return &answer.combined[map_index];
}

// Null: the map is not of MetaSaliency.
const MetaMark* MetaOf(const ImageAnswer& answer, int map_index) {
  if (map_index >= static_cast<int>(answer.meta.size())) return nullptr;
  return &answer.meta[map_index];
}

// Whether there is a correlation to tell of the map, defined or not.
bool IsCorrelated(const ImageAnswer& answer, const MetaMark* meta) {
  return answer.correlated && meta != nullptr && meta->stepped;
}

// "weights layer3 0.25 layer4 0.75 (constant: layer1; layer2)".
std::string SharesText(const v1::CombinedMap& combined) {
  std::string text = "weights";
  std::string constant;
  for (const v1::LayerShare& share : combined.shares()) {
    if (share.constant()) {
      absl::StrAppend(&constant, constant.empty() ? "" : "; ", share.layer());
      if (!share.warning().empty()) {
        absl::StrAppend(&constant, ", ", share.warning());
      }
    } else {
      absl::StrAppendFormat(&text, " %s %.3g", share.layer(), share.weight());
    }
  }
  if (constant.empty()) return text;
  return absl::StrCat(text, " (constant: ", constant, ")");
}

Json CombinationJson(const v1::CombinedMap& combined) {
  Json json = {
      {"weighting",
       EnumText(*v1::Weighting_descriptor(), combined.weighting())},
      {"rule", EnumText(*v1::CombineRule_descriptor(), combined.rule())}};
  Json& layers = json["layers"] = Json::array();
  for (const v1::LayerShare& share : combined.shares()) {
    layers.push_back({{"layer", share.layer()},
                      {"weight", Shortest(share.weight())},
                      {"constant", share.constant()}});
    if (!share.warning().empty()) layers.back()["warning"] = share.warning();
  }
  return json;
}

}  // namespace

std::string CombinationText(const v1::CombinedMap& combined) {
  return absl::StrCat(
      EnumText(*v1::CombineRule_descriptor(), combined.rule()), " ",
      EnumText(*v1::Weighting_descriptor(), combined.weighting()));
}

std::string ResultLine(const ImageAnswer& answer, int map_index) {
  const v1::SaliencyMap& map = answer.response.maps(map_index);
  const MapFiles& files = answer.files[map_index];
  if (map.status().code() != 0) {
    return OneLine(absl::StrCat(answer.path, ": ", map.method(), " @ ",
                                map.layer(), ": ",
                                ErrorText(answer.MapStatus(map_index))));
  }
  std::string line = absl::StrFormat(
      "%s: %s%s%s, score %.6g, %s @ %s, ", answer.path,
      NumberedText(map.explained_class()), map.others().empty() ? "" : " ",
      Printable(map.others()), map.score(), map.method(), map.layer());
  if (map.constant()) {
    line += "constant map, ";
    if (!map.warning().empty()) absl::StrAppend(&line, map.warning(), ", ");
  } else {
    absl::StrAppend(&line, "point y=", map.image_point().y(),
                    " x=", map.image_point().x(), ", ");
  }
  if (map.has_completeness_gap()) {
    absl::StrAppend(&line,
                    absl::StrFormat("gap %.3g, ", map.completeness_gap()));
  }
  if (const v1::CombinedMap* combined = CombinedOf(answer, map_index)) {
    absl::StrAppend(&line, SharesText(*combined), ", ");
  }
  const MetaMark* meta = MetaOf(answer, map_index);
  if (IsCorrelated(answer, meta)) {
    absl::StrAppend(&line, "correlation with plain ",
                    meta->correlation.has_value()
                        ? absl::StrFormat("%.4f", *meta->correlation)
                        : "undefined",
                    ", ");
  }
  absl::StrAppendFormat(&line, "%.0f ms",
                        absl::ToDoubleMilliseconds(answer.took));
  if (!files.image.empty()) absl::StrAppend(&line, " -> ", files.image);
  if (!files.npy.empty()) absl::StrAppend(&line, " -> ", files.npy);
  return OneLine(line);
}

std::string TopLine(const ImageAnswer& answer) {
  std::string line = absl::StrCat(answer.path, ": top");
  absl::string_view separator = " ";
  for (const v1::ImageSummary& image : answer.response.summary().images()) {
    for (const v1::ClassScore& score : image.top()) {
      absl::StrAppend(&line, separator, NumberedText(score));
      separator = ", ";
    }
  }
  return OneLine(line);
}

std::string ResultJson(const ImageAnswer& answer, int map_index) {
  const v1::ComputeSaliencyResponse& response = answer.response;
  const v1::AnswerSummary& summary = response.summary();
  const v1::SaliencyMap& map = response.maps(map_index);
  const MapFiles& files = answer.files[map_index];
  Json json = {{"image", answer.path},
               {"model", summary.model().name()},
               {"version", summary.model().version()},
               {"target", map.target()},
               {"attribution", map.attribution()},
               {"method", map.method()}};
  if (const v1::CombinedMap* combined = CombinedOf(answer, map_index)) {
    json["combination"] = CombinationJson(*combined);
  } else {
    json["layer"] = map.layer();
  }
  if (const MetaMark* meta = MetaOf(answer, map_index)) {
    json["method"] = meta->method;
    json["meta"] = meta->stepped;
    if (IsCorrelated(answer, meta)) {
      json["plain_correlation"] =
          meta->correlation.has_value() ? Json(*meta->correlation) : Json();
    }
  }
  if (map.status().code() == 0) AddMap(map, json);
  const absl::Status status = answer.MapStatus(map_index);
  if (!status.ok()) json["error"] = ErrorOf(status);
  if (map.image() < summary.images_size()) {
    Json& top = json["top"] = Json::array();
    for (const v1::ClassScore& score : summary.images(map.image()).top()) {
      top.push_back(ClassJson(score));
    }
  }
  json["seconds"] = SecondsJson(answer);
  json["batch_requests"] = summary.batch().requests();
  json["batch_rows"] = summary.batch().rows();
  if (!files.image.empty()) {
    json[ImageKey(files.image)] = files.image;
  }
  if (!files.npy.empty()) json["npy"] = files.npy;
  return JsonLine(json);
}

std::string ErrorJson(absl::string_view image, const absl::Status& status) {
  return JsonLine(
      Json{{"image", std::string(image)}, {"error", ErrorOf(status)}});
}

}  // namespace saliency
