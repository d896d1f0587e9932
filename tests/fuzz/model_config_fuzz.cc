// config.pbtxt.

#include <cmath>
#include <cstdint>
#include <string>

#include "server/convert/model_config_text.h"
#include "tests/fuzz/require.h"

namespace saliency {
namespace {

void RequireInput(const InputConfig& input) {
  for (const int64_t side : {input.height, input.width, input.resize}) {
    Require(side >= 1 && side <= 4096, "sides are limited");
  }
  const auto channels = static_cast<std::size_t>(input.channels);
  Require(channels >= 1 && channels <= 256, "channels are limited");
  Require(input.mean.size() == channels && input.std.size() == channels,
          "each channel has its mean and std");
  for (std::size_t c = 0; c < channels; ++c) {
    Require(std::isfinite(input.mean[c]) && std::isfinite(input.std[c]) &&
                input.std[c] > 0,
            "mean and std can be used");
  }
  Require(std::isfinite(input.value_max) && input.value_max > 0,
          "value_max can be used");
}

void ParseOne(const std::string& text) {
  const absl::StatusOr<ModelConfig> config = ParseModelConfigText(text);
  if (!config.ok()) return RequireRefusal(config.status());
  RequireInput(config->input);
  int replicas = 0;
  for (const InstanceConfig& instance : config->instances) {
    Require(instance.count >= 1, "an instance has replicas");
    replicas += instance.count;
  }
  Require(replicas >= 1 && replicas <= 64, "replicas are limited");
  Require(config->batching.max_rows >= 1 && config->batching.max_rows <= 1024,
          "rows are limited");
  Require(config->sha256.empty() || config->sha256.size() == 64,
          "a digest has 64 digits");
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  saliency::ParseOne(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
