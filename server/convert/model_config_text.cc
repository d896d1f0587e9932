#include "server/convert/model_config_text.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "saliency/v1/model_config.pb.h"
#include "server/convert/text_proto.h"
#include "server/convert/triton_config.h"

namespace saliency {
namespace {

constexpr int kMaxSide = 4096;
constexpr int kMaxChannels = 256;
constexpr int kMaxInstances = 64;
constexpr int kMaxRows = 1024;
constexpr int kMaxDelayMs = 10'000;
constexpr size_t kMaxConfiguredLayers = 512;
constexpr size_t kSha256Digits = 64;

// 0 stands for a field that is not set.
absl::Status Fill(absl::string_view field, int value, int min, int max,
                  auto& target) {
  if (value == 0) return absl::OkStatus();
  if (value < min || value > max) {
    return Invalid(field, ": ", value, " not in [", min, ", ", max, "]");
  }
  target = value;
  return absl::OkStatus();
}

template <typename Repeated>
absl::Status FillChannels(absl::string_view field, const Repeated& values,
                          std::vector<float>& target) {
  if (values.empty()) return absl::OkStatus();
  const auto channels = static_cast<int>(target.size());
  if (values.size() != channels) {
    return Invalid(field, ": ", values.size(), " numbers, not ", channels);
  }
  for (int i = 0; i < channels; ++i) {
    if (!std::isfinite(values[i])) {
      return Invalid(field, "[", i, "]: ", values[i], " is not finite");
    }
    target[i] = values[i];
  }
  return absl::OkStatus();
}

absl::Status FillColours(const v1::InputSpec& spec, InputConfig& config) {
  int64_t channels = config.channels;
  RETURN_IF_ERROR(
      Fill("input.channels", spec.channels(), 1, kMaxChannels, channels));
  config.SetChannels(channels);
  RETURN_IF_ERROR(FillChannels("input.mean", spec.mean(), config.mean));
  RETURN_IF_ERROR(FillChannels("input.std", spec.std(), config.std));
  for (int64_t i = 0; i < config.channels; ++i) {
    if (!(config.std[i] > 0)) {
      return Invalid("input.std[", i, "]: ", config.std[i], " is not positive");
    }
  }
  config.bgr = spec.channel_order() == v1::CHANNEL_ORDER_BGR;
  if (config.bgr && config.channels != 3) {
    return Invalid("input.channel_order: BGR of ", config.channels,
                   " channels, not 3");
  }
  return absl::OkStatus();
}

// The text format takes any number for an enum.
absl::Status CheckEnums(const v1::ModelConfig& proto) {
  const auto check = [](absl::string_view field, bool valid, int value) {
    return valid ? absl::OkStatus() : Invalid(field, ": unknown value ", value);
  };
  const v1::InputSpec& input = proto.input();
  RETURN_IF_ERROR(check("input.geometry",
                        v1::Geometry_IsValid(input.geometry()),
                        input.geometry()));
  RETURN_IF_ERROR(check("input.channel_order",
                        v1::ChannelOrder_IsValid(input.channel_order()),
                        input.channel_order()));
  RETURN_IF_ERROR(check("output_activation",
                        v1::OutputActivation_IsValid(proto.output_activation()),
                        proto.output_activation()));
  return check("precision", v1::Precision_IsValid(proto.precision()),
               proto.precision());
}

InputGeometry GeometryFromProto(v1::Geometry geometry) {
  switch (geometry) {
    case v1::GEOMETRY_SHORTEST_SIDE:
      return InputGeometry::kShortestSide;
    case v1::GEOMETRY_CENTRE_CROP:
      return InputGeometry::kCentreCrop;
    default:
      return InputGeometry::kSquash;
  }
}

OutputActivation ActivationFromProto(v1::OutputActivation activation) {
  switch (activation) {
    case v1::OUTPUT_ACTIVATION_SOFTMAX:
      return OutputActivation::kSoftmax;
    case v1::OUTPUT_ACTIVATION_SIGMOID:
      return OutputActivation::kSigmoid;
    case v1::OUTPUT_ACTIVATION_NONE:
      return OutputActivation::kNone;
    case v1::OUTPUT_ACTIVATION_REGRESSION:
      return OutputActivation::kRegression;
    default:
      return OutputActivation::kDefault;
  }
}

absl::Status FillInput(const v1::InputSpec& spec, InputConfig& config) {
  RETURN_IF_ERROR(
      Fill("input.height", spec.height(), 1, kMaxSide, config.height));
  RETURN_IF_ERROR(Fill("input.width", spec.width(), 1, kMaxSide, config.width));
  RETURN_IF_ERROR(
      Fill("input.resize", spec.resize(), 1, kMaxSide, config.resize));
  config.geometry = GeometryFromProto(spec.geometry());
  if (config.geometry == InputGeometry::kCentreCrop &&
      config.resize < std::max(config.height, config.width)) {
    return Invalid("input.resize: ", config.resize,
                   " is less than the crop of ", config.height, " x ",
                   config.width);
  }
  RETURN_IF_ERROR(FillColours(spec, config));
  if (spec.has_value_max()) {
    config.value_max = spec.value_max();
    if (!(config.value_max > 0) || !std::isfinite(config.value_max)) {
      return Invalid("input.value_max: ", config.value_max,
                     " is not positive and finite");
    }
  }
  return absl::OkStatus();
}

template <typename Repeated>
absl::Status FillLayers(absl::string_view field, const Repeated& layers,
                        std::vector<std::string>& target) {
  if (static_cast<size_t>(layers.size()) > kMaxConfiguredLayers) {
    return Invalid(field, ": ", layers.size(), " of at most ",
                   kMaxConfiguredLayers);
  }
  std::set<std::string> seen;
  for (int i = 0; i < layers.size(); ++i) {
    if (layers[i].empty()) return Invalid(field, "[", i, "]: empty");
    if (!seen.insert(layers[i]).second) {
      return Invalid(field, "[", i, "]: \"", Printable(layers[i]),
                     "\" is named twice");
    }
  }
  target.assign(layers.begin(), layers.end());
  return absl::OkStatus();
}

// "cpu", "cuda" or "cuda:N".
bool IsDevice(absl::string_view device) {
  if (device == "cpu" || device == "cuda") return true;
  int index = -1;
  constexpr absl::string_view kCuda = "cuda:";
  return absl::StartsWith(device, kCuda) &&
         absl::SimpleAtoi(device.substr(kCuda.size()), &index) && index >= 0 &&
         absl::StrCat(kCuda, index) == device;
}

absl::Status FillInstances(const v1::ModelConfig& proto, ModelConfig& config) {
  if (proto.instances_size() == 0) return absl::OkStatus();
  config.instances.clear();
  int total = 0;
  for (int i = 0; i < proto.instances_size(); ++i) {
    const std::string field = absl::StrCat("instances[", i, "]");
    InstanceConfig instance;
    if (!proto.instances(i).device().empty()) {
      instance.device = proto.instances(i).device();
    }
    if (!IsDevice(instance.device)) {
      return Invalid(field, ".device: \"", Printable(instance.device),
                     "\" is neither \"cpu\" nor \"cuda:N\"");
    }
    RETURN_IF_ERROR(Fill(absl::StrCat(field, ".count"),
                         proto.instances(i).count(), 1, kMaxInstances,
                         instance.count));
    total += instance.count;
    config.instances.push_back(instance);
    if (total > kMaxInstances) {
      return Invalid("instances: ", total, " replicas in all, of at most ",
                     kMaxInstances);
    }
  }
  return absl::OkStatus();
}

absl::Status FillOutput(const v1::ModelConfig& proto, ModelConfig& config) {
  switch (proto.output_case()) {
    case v1::ModelConfig::kOutputIndex:
      if (proto.output_index() < 0) {
        return Invalid("output_index: ", proto.output_index(),
                       " is less than 0");
      }
      config.output_index = proto.output_index();
      break;
    case v1::ModelConfig::kOutputKey:
      if (proto.output_key().empty()) return Invalid("output_key: empty");
      config.output_key = proto.output_key();
      break;
    case v1::ModelConfig::OUTPUT_NOT_SET:
      break;
  }
  config.activation = ActivationFromProto(proto.output_activation());
  return absl::OkStatus();
}

absl::Status FillPrecision(v1::Precision precision, ModelConfig& config) {
  switch (precision) {
    case v1::PRECISION_BF16:
      config.precision = Precision::kBf16;
      return absl::OkStatus();
    case v1::PRECISION_FP16:
      config.precision = Precision::kFp16;
      break;
    default:
      return absl::OkStatus();
  }
  for (const InstanceConfig& instance : config.instances) {
    if (instance.device == "cpu") {
      return Invalid(
          "precision: PRECISION_FP16 runs on a GPU only, but an "
          "instance is on \"cpu\"");
    }
  }
  return absl::OkStatus();
}

absl::Status FillSha256(const std::string& digest, ModelConfig& config) {
  if (digest.empty()) return absl::OkStatus();
  config.sha256 = absl::AsciiStrToLower(digest);
  if (digest.size() != kSha256Digits ||
      config.sha256.find_first_not_of("0123456789abcdef") !=
          std::string::npos) {
    return Invalid("sha256: \"", Printable(digest),
                   "\" is not 64 hexadecimal digits");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfigText(const std::string& text) {
  return ParseModelConfigTextWith(/*gpus=*/0, text);
}

absl::StatusOr<ModelConfig> ParseModelConfigTextWith(int gpus,
                                                     const std::string& text) {
  v1::ModelConfig proto;
  const absl::Status parsed = ParseTextProto(text, proto);
  if (!parsed.ok() && IsTritonConfig(text)) {
    return ParseTritonConfig(text, gpus);
  }
  RETURN_IF_ERROR(parsed);
  RETURN_IF_ERROR(CheckEnums(proto));
  ModelConfig config;
  RETURN_IF_ERROR(FillInput(proto.input(), config.input));
  RETURN_IF_ERROR(FillOutput(proto, config));
  RETURN_IF_ERROR(FillLayers("default_layers", proto.default_layers(),
                             config.default_layers));
  RETURN_IF_ERROR(FillLayers("combine_layers", proto.combine_layers(),
                             config.combine_layers));
  RETURN_IF_ERROR(FillInstances(proto, config));
  RETURN_IF_ERROR(FillPrecision(proto.precision(), config));
  RETURN_IF_ERROR(Fill("batching.max_rows", proto.batching().max_rows(), 1,
                       kMaxRows, config.batching.max_rows));
  int delay_ms = 0;
  RETURN_IF_ERROR(Fill("batching.max_delay_ms", proto.batching().max_delay_ms(),
                       0, kMaxDelayMs, delay_ms));
  config.batching.max_delay = absl::Milliseconds(delay_ms);
  RETURN_IF_ERROR(FillSha256(proto.sha256(), config));
  if (proto.has_warm_up()) config.warm_up = proto.warm_up();
  if (proto.has_required()) config.required = proto.required();
  return config;
}

}  // namespace saliency
