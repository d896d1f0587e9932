#include "server/convert/convert_model.h"

#include <string>

#include "absl/strings/str_split.h"
#include "core/attribution/registry.h"
#include "core/attribution/sampling.h"
#include "core/engine/inputs_rule.h"
#include "core/model/probed_model.h"
#include "server/convert/layer_weights_text.h"

namespace saliency {
namespace {

v1::InputSpec InputToProto(const InputConfig& config) {
  v1::InputSpec spec;
  spec.set_height(static_cast<int32_t>(config.height));
  spec.set_width(static_cast<int32_t>(config.width));
  spec.set_channels(static_cast<int32_t>(config.channels));
  switch (config.geometry) {
    case InputGeometry::kSquash:
      spec.set_geometry(v1::GEOMETRY_SQUASH);
      break;
    case InputGeometry::kShortestSide:
      spec.set_geometry(v1::GEOMETRY_SHORTEST_SIDE);
      break;
    case InputGeometry::kCentreCrop:
      spec.set_geometry(v1::GEOMETRY_CENTRE_CROP);
      break;
  }
  spec.set_resize(static_cast<int32_t>(config.resize));
  for (const float mean : config.mean) spec.add_mean(mean);
  for (const float std : config.std) spec.add_std(std);
  spec.set_value_max(config.value_max);
  spec.set_channel_order(config.bgr ? v1::CHANNEL_ORDER_BGR
                                    : v1::CHANNEL_ORDER_RGB);
  return spec;
}

v1::Precision PrecisionToProto(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return v1::PRECISION_FP32;
    case Precision::kBf16:
      return v1::PRECISION_BF16;
    case Precision::kFp16:
      return v1::PRECISION_FP16;
  }
  return v1::PRECISION_UNSPECIFIED;
}

v1::OutputActivation ActivationToProto(OutputActivation activation) {
  switch (activation) {
    case OutputActivation::kDefault:
      return v1::OUTPUT_ACTIVATION_UNSPECIFIED;
    case OutputActivation::kSoftmax:
      return v1::OUTPUT_ACTIVATION_SOFTMAX;
    case OutputActivation::kSigmoid:
      return v1::OUTPUT_ACTIVATION_SIGMOID;
    case OutputActivation::kNone:
      return v1::OUTPUT_ACTIVATION_NONE;
    case OutputActivation::kRegression:
      return v1::OUTPUT_ACTIVATION_REGRESSION;
  }
  return v1::OUTPUT_ACTIVATION_UNSPECIFIED;
}

v1::Probabilities ProbabilitiesToProto(Probabilities probabilities) {
  switch (probabilities) {
    case Probabilities::kSoftmax:
      return v1::PROBABILITIES_SOFTMAX;
    case Probabilities::kSigmoid:
      return v1::PROBABILITIES_SIGMOID;
    case Probabilities::kGiven:
      return v1::PROBABILITIES_GIVEN;
    case Probabilities::kGivenLogs:
      return v1::PROBABILITIES_GIVEN_LOGS;
    case Probabilities::kNone:
      return v1::PROBABILITIES_NONE;
  }
  return v1::PROBABILITIES_UNSPECIFIED;
}

v1::OutputBasis BasisToProto(OutputBasis basis) {
  switch (basis) {
    case OutputBasis::kDefault:
      return v1::OUTPUT_BASIS_DEFAULT;
    case OutputBasis::kDeclared:
      return v1::OUTPUT_BASIS_DECLARED;
    case OutputBasis::kGraph:
      return v1::OUTPUT_BASIS_GRAPH;
    case OutputBasis::kTrial:
      return v1::OUTPUT_BASIS_TRIAL;
  }
  return v1::OUTPUT_BASIS_UNSPECIFIED;
}

void MeaningToProto(const OutputMeaning& meaning, v1::OutputMeaning* out) {
  out->set_probabilities(ProbabilitiesToProto(meaning.probabilities));
  out->set_basis(BasisToProto(meaning.basis));
  out->set_activation(meaning.activation);
  out->set_exclusive(meaning.exclusive);
  if (meaning.one_output) {
    out->set_output_class(static_cast<int32_t>(meaning.output_class));
  }
}

v1::ModelState StateToProto(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::MODEL_STATE_LOADING;
    case ModelState::kReady:
      return v1::MODEL_STATE_READY;
    case ModelState::kFailed:
      return v1::MODEL_STATE_FAILED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

void LayerToProto(const LayerInfo& layer, v1::Layer* out) {
  out->set_name(layer.name);
  out->set_kind(layer.kind);
  for (const int64_t size : layer.shape) out->add_shape(size);
  out->set_is_cut(layer.is_cut);
  out->set_note(layer.note);
  out->set_no_maps_because(layer.no_maps_because);
}

// Notes why a method is left out.
bool Applies(const MethodNeeds& needs, const char* method,
             const ModelMetadata& metadata, v1::GetModelResponse* response) {
  const absl::Status status = CheckAppliesSomewhere(needs, method, metadata);
  if (status.ok()) return true;
  v1::MethodRefusal* refusal = response->add_method_refusals();
  refusal->set_name(method);
  refusal->set_reason(std::string{status.message()});
  return false;
}

void AddMethods(const ModelMetadata& metadata, v1::GetModelResponse* response) {
  const std::vector<std::string> everywhere = LayersFor({}, metadata);
  for (const Method* method : AllMethods()) {
    const MethodNeeds needs = NeedsOf(*method);
    if (!Applies(needs, method->name, metadata, response)) continue;
    const std::vector<std::string> layers = LayersFor(needs, metadata);
    v1::Method* out = response->add_methods();
    out->set_name(method->name);
    out->set_summary(method->summary);
    out->set_formula(method->formula);
    out->set_source(method->source);
    out->set_is_signed(method->is_signed);
    for (const std::string& alias : AliasesOf(*method)) {
      out->add_aliases(alias);
    }
    if (layers.size() == everywhere.size()) continue;
    for (const std::string& layer : layers) out->add_layers(layer);
  }
}

void AddSamplingMethods(const ModelMetadata& metadata,
                        v1::GetModelResponse* response) {
  for (const SamplingMethod& method : AllSamplingMethods()) {
    const bool anywhere = std::holds_alternative<SmoothGrad>(method.defaults) ||
                          std::holds_alternative<ScoreCam>(method.defaults);
    const MethodNeeds needs = {
        .inputs = anywhere ? MethodInputs::kActivationAndGradient
                           : MethodInputs::kInputAndGradient};
    if (!Applies(needs, method.name, metadata, response)) continue;
    v1::Method* out = response->add_methods();
    out->set_name(method.name);
    out->set_summary(method.summary);
    out->set_formula(method.formula);
    out->set_source(method.source);
    out->set_is_signed(method.is_signed);
    for (const absl::string_view alias :
         absl::StrSplit(method.aliases, ' ', absl::SkipEmpty())) {
      out->add_aliases(std::string{alias});
    }
    if (!anywhere) out->add_layers("input");
  }
}

}  // namespace

v1::ModelConfig ToProto(const ModelConfig& config) {
  v1::ModelConfig proto;
  *proto.mutable_input() = InputToProto(config.input);
  if (config.output_index.has_value()) {
    proto.set_output_index(*config.output_index);
  } else if (!config.output_key.empty()) {
    proto.set_output_key(config.output_key);
  }
  proto.set_output_activation(ActivationToProto(config.activation));
  for (const std::string& layer : config.default_layers) {
    proto.add_default_layers(layer);
  }
  for (const std::string& layer : config.combine_layers) {
    proto.add_combine_layers(layer);
  }
  for (const InstanceConfig& instance : config.instances) {
    v1::Instance* out = proto.add_instances();
    out->set_device(instance.device);
    out->set_count(instance.count);
  }
  proto.set_precision(PrecisionToProto(config.precision));
  proto.mutable_batching()->set_max_rows(config.batching.max_rows);
  proto.mutable_batching()->set_max_delay_ms(static_cast<int32_t>(
      absl::ToInt64Milliseconds(config.batching.max_delay)));
  proto.set_sha256(config.sha256);
  proto.set_warm_up(config.warm_up);
  proto.set_required(config.required);
  return proto;
}

void ToProto(const ModelVersion& version, v1::ModelVersion* out) {
  out->set_version(version.version);
  out->set_state(StateToProto(version.state));
  out->set_message(version.message);
}

void ToProto(const std::vector<ModelVersionPtr>& versions,
             v1::ListModelsResponse* response) {
  v1::ModelSummary* summary = nullptr;
  for (const ModelVersionPtr& version : versions) {
    if (summary == nullptr || summary->name() != version->model) {
      summary = response->add_models();
      summary->set_name(version->model);
    }
    ToProto(*version, summary->add_versions());
  }
}

void ToProto(const ModelMetadata& metadata, v1::GetModelResponse* response) {
  response->mutable_model()->set_name(metadata.name);
  response->mutable_model()->set_version(metadata.version);
  *response->mutable_config() = ToProto(metadata.config);
  for (const std::string& label : metadata.labels) response->add_labels(label);
  response->set_num_classes(static_cast<int32_t>(metadata.num_classes));
  MeaningToProto(metadata.meaning, response->mutable_output_meaning());
  for (const LayerInfo& layer : metadata.layers) {
    LayerToProto(layer, response->add_layers());
  }
  AddMethods(metadata, response);
  AddSamplingMethods(metadata, response);
  response->set_rows_independent(metadata.self_check.rows_independent);
  response->set_rows_depend_because(metadata.self_check.rows_depend_because);
  response->set_deterministic(metadata.self_check.deterministic);
  response->set_random_operator(metadata.self_check.random_operator);
  response->set_targets_share_work(metadata.self_check.expand_rows_at_probe);
  response->mutable_output()->set_name(metadata.output.name);
  for (const int64_t size : metadata.output.shape) {
    response->mutable_output()->add_shape(size);
  }
  for (const std::string& other : metadata.output.others) {
    response->mutable_output()->add_others(other);
  }
  if (metadata.layer_weights.calibrated()) {
    *response->mutable_layer_weights() = ToProto(metadata.layer_weights);
  }
}

}  // namespace saliency
