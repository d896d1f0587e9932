#include "server/convert/layer_weights_text.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "google/protobuf/text_format.h"
#include "server/convert/text_proto.h"

namespace saliency {
namespace {

constexpr int kMaxCalibratedLayers = 512;

absl::StatusOr<LayerCalibration> LayerFromProto(
    const std::string& field, const v1::LayerCalibration& proto) {
  LayerCalibration layer = {.layer = proto.layer()};
  if (layer.layer.empty()) return Invalid(field, ".layer: empty");
  if (proto.has_feature_spread()) {
    const double spread = proto.feature_spread();
    if (!(spread >= 0 && std::isfinite(spread))) {
      return Invalid(field, ".feature_spread: ", spread,
                     " is not a finite number >= 0");
    }
    layer.feature_spread = spread;
  }
  if (proto.has_classification_accuracy()) {
    const double accuracy = proto.classification_accuracy();
    if (!(accuracy >= 0 && accuracy <= 1)) {
      return Invalid(field, ".classification_accuracy: ", accuracy,
                     " not in [0, 1]");
    }
    layer.classification_accuracy = accuracy;
  }
  return layer;
}

}  // namespace

absl::StatusOr<LayerWeights> ParseLayerWeightsText(const std::string& text) {
  v1::LayerWeights proto;
  RETURN_IF_ERROR(ParseTextProto(text, proto));
  if (proto.layers_size() < 1 || proto.layers_size() > kMaxCalibratedLayers) {
    return Invalid("layers: ", proto.layers_size(), " not in [1, ",
                   kMaxCalibratedLayers, "]");
  }
  if (proto.images() < 0) {
    return Invalid("images: ", proto.images(), " is less than 0");
  }
  if (proto.classes() < 0) {
    return Invalid("classes: ", proto.classes(), " is less than 0");
  }
  LayerWeights weights = {
      .model_sha256 = absl::AsciiStrToLower(proto.model_sha256()),
      .calibrated_at = proto.calibrated_at(),
      .data = proto.data(),
      .images = proto.images(),
      .classes = proto.classes()};
  std::set<std::string> seen;
  for (const v1::LayerCalibration& layer : proto.layers()) {
    const std::string field =
        absl::StrCat("layers[", weights.layers.size(), "]");
    ASSIGN_OR_RETURN(LayerCalibration converted, LayerFromProto(field, layer));
    if (!seen.insert(converted.layer).second) {
      return Invalid(field, ".layer: \"", Printable(converted.layer),
                     "\" is named twice");
    }
    weights.layers.push_back(std::move(converted));
  }
  return weights;
}

absl::Status CheckLayerWeights(const LayerWeights& weights,
                               absl::Span<const LayerInfo> layers,
                               absl::string_view model_sha256) {
  if (!weights.model_sha256.empty() && weights.model_sha256 != model_sha256) {
    return Invalid("model_sha256: measured on a model.pt of ",
                   Printable(weights.model_sha256), ", but this one has ",
                   model_sha256, ": calibrate again or remove the file");
  }
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const std::string& name = weights.layers[i].layer;
    const auto found =
        std::find_if(layers.begin(), layers.end(),
                     [&](const LayerInfo& info) { return info.name == name; });
    if (found == layers.end()) {
      std::vector<std::string> known;
      for (const LayerInfo& info : layers) known.push_back(info.name);
      return absl::NotFoundError(absl::StrCat(
          "layers[", i, "]: ", NotFoundMessage("layer", name, known)));
    }
    if (!found->no_maps_because.empty()) {
      return Invalid("layers[", i, "]: there are no maps of layer \"", name,
                     "\": ", found->no_maps_because);
    }
    if (!found->spatial()) {
      return Invalid("layers[", i, "]: layer \"", name, "\" has shape [",
                     absl::StrJoin(found->shape, ","),
                     "], not the [K,H,W] of a spatial layer");
    }
  }
  return absl::OkStatus();
}

v1::LayerWeights ToProto(const LayerWeights& weights) {
  v1::LayerWeights proto;
  for (const LayerCalibration& layer : weights.layers) {
    v1::LayerCalibration* out = proto.add_layers();
    out->set_layer(layer.layer);
    if (layer.feature_spread.has_value()) {
      out->set_feature_spread(*layer.feature_spread);
    }
    if (layer.classification_accuracy.has_value()) {
      out->set_classification_accuracy(*layer.classification_accuracy);
    }
  }
  proto.set_model_sha256(weights.model_sha256);
  proto.set_calibrated_at(weights.calibrated_at);
  proto.set_data(weights.data);
  proto.set_images(weights.images);
  proto.set_classes(weights.classes);
  return proto;
}

std::string LayerWeightsText(const LayerWeights& weights) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(ToProto(weights), &text);
  return text;
}

}  // namespace saliency
