// One version of one model as it is served: its configuration, its labels and
// its replicas.
// Constant after construction but for the replicas, each of which belongs to
// one worker thread.

#ifndef SALIENCY_CORE_MODEL_LOADED_MODEL_H_
#define SALIENCY_CORE_MODEL_LOADED_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/model/layer_weights.h"
#include "core/model/model_config.h"
#include "core/model/probed_model.h"

namespace saliency {

// How a replica is loaded, but for its device.
inline LoadOptions LoadOptionsOf(const ModelConfig& config) {
  return {.precision = config.precision,
          .output_index = config.output_index,
          .output_key = config.output_key,
          .activation = config.activation,
          .input_channels = config.input.channels,
          .input_height = config.input.height,
          .input_width = config.input.width,
          .pixels = PixelRangeOf(config.input)};
}

struct LoadedModel {
  std::string name;
  int64_t version = 0;
  ModelConfig config;  // default_layers and combine_layers filled in
  // By class index; empty when the model has no labels.txt.
  std::vector<std::string> labels;
  std::string sha256;          // hex digest of the file that was loaded
  LayerWeights layer_weights;  // empty: not calibrated
  std::vector<std::unique_ptr<ProbedModel>> replicas;  // at least one
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_LOADED_MODEL_H_
