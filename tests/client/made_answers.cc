#include "tests/client/made_answers.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/statusor.h"
#include "core/image/image.h"

namespace saliency {
namespace {

constexpr int kTensorSize = 7;

// Rows and columns of the maps.
template <typename Request>
bool OutputSize(const Request& request, int& height, int& width) {
  const v1::OutputOptions& output = request.output();
  const absl::StatusOr<Image> image =
      DecodeImage(request.input().image(), DecodeLimits());
  if (!image.ok()) return false;
  if (output.has_explicit_size()) {
    height = output.explicit_size().height();
    width = output.explicit_size().width();
  } else if (output.named_size() == v1::NAMED_SIZE_LAYER) {
    height = width = kTensorSize;
  } else {
    height = static_cast<int>(image->height);
    width = static_cast<int>(image->width);
  }
  return true;
}

std::string MethodName(const v1::Attribution& attribution) {
  return attribution.has_pair() ? "conv1x1+norm" : attribution.method();
}

void AddMap(const v1::OutputOptions& output, int height, int width,
            v1::SaliencyMap& map) {
  v1::ClassScore& score = *map.mutable_explained_class();
  score.set_class_index(281);
  score.set_label("tabby");
  score.set_logit(14.25F);
  score.set_probability(0.932F);
  map.set_score(14.25F);
  map.set_height(height);
  map.set_width(width);
  map.set_raw_min(-0.5F);
  map.set_raw_max(2);
  map.mutable_point()->set_y(height - 1);
  map.mutable_point()->set_x(width - 1);
  *map.mutable_image_point() = map.point();
  map.set_is_signed(true);
  map.set_encoding(output.encoding());
  if (output.encoding() == v1::MAP_ENCODING_FLOAT32) {
    map.set_data(RampMap(height, width));
  }
}

grpc::Status NoImage() { return InvalidField("input.image", "no image"); }

// As the model of all answers, run alone.
template <typename Response>
void Introduce(Response& response) {
  v1::AnswerSummary& summary = *response.mutable_summary();
  summary.mutable_model()->set_name("tiny");
  summary.mutable_model()->set_version(1);
  summary.mutable_batch()->set_requests(1);
}

}  // namespace

google::rpc::RetryInfo RetryInfoOf(int delay_ms) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(delay_ms / 1000);
  retry.mutable_retry_delay()->set_nanos(delay_ms % 1000 * 1'000'000);
  return retry;
}

grpc::Status PushBack(grpc::ServerContext& context, int delay_ms) {
  context.AddTrailingMetadata("grpc-retry-pushback-ms",
                              std::to_string(delay_ms));
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
  status.set_message("busy");
  if (delay_ms >= 0) status.add_details()->PackFrom(RetryInfoOf(delay_ms));
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "busy",
          status.SerializeAsString()};
}

grpc::Status InvalidField(const std::string& field,
                          const std::string& description) {
  google::rpc::BadRequest bad;
  auto& violation = *bad.add_field_violations();
  violation.set_field(field);
  violation.set_description(description);
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::INVALID_ARGUMENT);
  status.set_message(field + ": " + description);
  status.add_details()->PackFrom(bad);
  return {grpc::StatusCode::INVALID_ARGUMENT, status.message(),
          status.SerializeAsString()};
}

std::string RampMap(int height, int width) {
  std::string bytes;
  for (int i = 0; i < height * width; ++i) {
    const float value =
        static_cast<float>(i) / static_cast<float>(height * width - 1);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return bytes;
}

grpc::Status AnswerWithRamps(const v1::ComputeSaliencyRequest& request,
                             v1::ComputeSaliencyResponse& response) {
  int height = 0;
  int width = 0;
  if (!OutputSize(request, height, width)) return NoImage();
  Introduce(response);
  v1::ClassScore& top = *response.mutable_summary()->add_images()->add_top();
  top.set_class_index(281);
  top.set_label("tabby");
  top.set_probability(0.932F);
  for (int target = 0; target < std::max(request.targets_size(), 1); ++target) {
    for (int i = 0; i < request.attributions_size(); ++i) {
      const v1::Attribution& attribution = request.attributions(i);
      for (int j = 0; j < std::max(attribution.layers_size(), 1); ++j) {
        v1::SaliencyMap& map = *response.add_maps();
        map.set_target(target);
        map.set_attribution(i);
        map.set_method(MethodName(attribution));
        map.set_layer(attribution.layers().empty() ? "layer4"
                                                   : attribution.layers(j));
        AddMap(request.output(), height, width, map);
      }
    }
  }
  return grpc::Status::OK;
}

grpc::Status CombineRamps(const v1::CombineLayersRequest& request,
                          v1::CombineLayersResponse& response) {
  int height = 0;
  int width = 0;
  if (!OutputSize(request, height, width)) return NoImage();
  Introduce(response);
  const auto layers_of = [](const v1::Combination& combination) {
    const auto& named = combination.attribution().layers();
    std::vector<std::string> layers(named.begin(), named.end());
    if (layers.empty()) layers = {"layer1", "layer2"};
    return layers;
  };
  for (int target = 0; target < std::max(request.targets_size(), 1); ++target) {
    for (int i = 0; i < request.combinations_size(); ++i) {
      const v1::Combination& combination = request.combinations(i);
      v1::CombinedMap& combined = *response.add_combined();
      combined.mutable_map()->set_target(target);
      combined.mutable_map()->set_attribution(i);
      combined.mutable_map()->set_method(MethodName(combination.attribution()));
      AddMap(request.output(), height, width, *combined.mutable_map());
      combined.mutable_map()->set_is_signed(false);
      combined.mutable_map()->set_raw_min(0.25F);
      combined.mutable_map()->set_raw_max(0.75F);
      combined.set_weighting(combination.weighting());
      combined.set_rule(combination.rule());
      for (const std::string& layer : layers_of(combination)) {
        v1::LayerShare& share = *combined.add_shares();
        share.set_layer(layer);
        share.set_constant(combined.shares_size() == 1);
        share.set_weight(share.constant() ? 0 : 0.5F);
      }
    }
    if (!request.layer_maps()) continue;
    for (const std::string& layer : layers_of(request.combinations(0))) {
      v1::SaliencyMap& map = *response.add_layer_maps();
      map.set_target(target);
      map.set_method(MethodName(request.combinations(0).attribution()));
      map.set_layer(layer);
      AddMap(request.output(), height, width, map);
    }
  }
  return grpc::Status::OK;
}

grpc::Status StepRamps(const v1::MetaSaliencyRequest& request,
                       v1::MetaSaliencyResponse& response) {
  v1::ComputeSaliencyRequest plain;
  *plain.mutable_input() = request.input();
  *plain.mutable_targets() = request.targets();
  *plain.mutable_attributions() = request.attributions();
  *plain.mutable_output() = request.output();
  v1::ComputeSaliencyResponse ramps;
  const grpc::Status status = AnswerWithRamps(plain, ramps);
  if (!status.ok()) return status;
  *response.mutable_summary() = ramps.summary();
  for (const v1::SaliencyMap& ramp : ramps.maps()) {
    v1::MetaMap& pair = *response.add_maps();
    *pair.mutable_map() = ramp;
    if (request.plain_maps()) *pair.mutable_plain() = ramp;
    if (request.plain_correlation() && response.maps_size() % 2 == 1) {
      pair.set_plain_correlation(-0.25);
    }
  }
  return grpc::Status::OK;
}

grpc::Status RampsOfStages(
    const v1::MeasureWeightSensitivityRequest& request,
    std::vector<v1::MeasureWeightSensitivityResponse>& stages) {
  v1::ComputeSaliencyRequest compute;
  *compute.mutable_input() = request.input();
  *compute.mutable_targets() = request.targets();
  *compute.mutable_attributions() = request.attributions();
  compute.mutable_output()->set_encoding(request.output().encoding());
  const auto input = TinyModel().config().input();
  compute.mutable_output()->mutable_explicit_size()->set_height(input.height());
  compute.mutable_output()->mutable_explicit_size()->set_width(input.width());
  v1::ComputeSaliencyResponse maps;
  const grpc::Status status = AnswerWithRamps(compute, maps);
  if (!status.ok()) return status;
  const std::vector<std::string> modules = {"", "fc", "layer1"};
  for (int stage = 0; stage < 3; ++stage) {
    v1::MeasureWeightSensitivityResponse& response = stages.emplace_back();
    *response.mutable_summary() = maps.summary();
    response.set_stage(stage);
    response.set_num_stages(3);
    response.set_module(modules[stage]);
    for (const v1::SaliencyMap& map : maps.maps()) {
      v1::WeightSensitivity& measured = *response.add_maps();
      *measured.mutable_map() = map;
      if (stage == 2) continue;
      measured.set_correlation(stage == 0 ? 1 : 0.5);
      measured.set_absolute_correlation(stage == 0 ? 1 : 0.75);
    }
  }
  return grpc::Status::OK;
}

v1::GetModelResponse TinyModel() {
  v1::GetModelResponse model;
  model.mutable_model()->set_name("tiny");
  model.mutable_model()->set_version(3);
  model.set_num_classes(3);
  for (const char* label : {"cat", "dog", "bird"}) model.add_labels(label);
  v1::ModelVersion& version = *model.add_versions();
  version.set_version(3);
  version.set_state(v1::MODEL_STATE_READY);
  model.mutable_config()->add_default_layers("layer3");
  model.mutable_config()->mutable_input()->set_height(32);
  model.mutable_config()->mutable_input()->set_width(48);
  model.mutable_config()->mutable_input()->set_geometry(v1::GEOMETRY_SQUASH);
  const auto add_layer = [&](const char* name, std::vector<int64_t> shape) {
    v1::Layer& layer = *model.add_layers();
    layer.set_name(name);
    layer.set_kind("Conv2d");
    layer.mutable_shape()->Assign(shape.begin(), shape.end());
    layer.set_is_cut(true);
  };
  add_layer("input", {3, 32, 48});
  add_layer("layer1", {8, 32, 48});
  add_layer("layer2", {8, 16, 24});
  add_layer("layer3", {8, 16, 24});
  add_layer("fc", {3});
  for (const char* name : {"norm_grad", "grad_cam", "cam"}) {
    model.add_methods()->set_name(name);
  }
  v1::Method& real_conv = *model.add_methods();
  real_conv.set_name("norm_grad_real_conv");
  for (const char* layer : {"layer1", "layer2", "layer3"}) {
    real_conv.add_layers(layer);
  }
  v1::LayerWeights& weights = *model.mutable_layer_weights();
  weights.set_calibrated_at("2024-05-31T12:00:00Z");
  weights.set_data("scenes");
  weights.set_images(100);
  weights.set_classes(3);
  v1::LayerCalibration* calibrated = weights.add_layers();
  calibrated->set_layer("layer1");
  calibrated->set_feature_spread(0.25);
  calibrated = weights.add_layers();
  calibrated->set_layer("layer3");
  calibrated->set_feature_spread(0.5);
  calibrated->set_classification_accuracy(0.875);
  return model;
}

v1::GetModelResponse LoadingModel() {
  v1::GetModelResponse model;
  model.mutable_model()->set_name("slow");
  model.mutable_model()->set_version(2);
  v1::ModelVersion& version = *model.add_versions();
  version.set_version(2);
  version.set_state(v1::MODEL_STATE_LOADING);
  return model;
}

v1::ListModelsResponse TinyAndBroken() {
  v1::ListModelsResponse response;
  v1::ModelSummary& tiny = *response.add_models();
  tiny.set_name("tiny");
  *tiny.mutable_versions() = TinyModel().versions();
  v1::ModelSummary& broken = *response.add_models();
  broken.set_name("broken");
  v1::ModelVersion& version = *broken.add_versions();
  version.set_version(1);
  version.set_state(v1::MODEL_STATE_FAILED);
  version.set_message("not a TorchScript file");
  return response;
}

v1::CalibrationResult TinyCalibration() {
  v1::CalibrationResult result;
  *result.mutable_model() = TinyModel().model();
  *result.mutable_layer_weights() = TinyModel().layer_weights();
  result.set_training_images(70);
  result.set_held_out_images(30);
  result.set_file_text("layers { layer: \"layer1\" }\n");
  return result;
}

}  // namespace saliency
