// What calibration found out about a model's layers: the gamma of the
// weightings that are measured (the plain form of saliency.v1.LayerWeights).
// Value types; thread-compatible.

#ifndef SALIENCY_CORE_MODEL_LAYER_WEIGHTS_H_
#define SALIENCY_CORE_MODEL_LAYER_WEIGHTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/attribution/combination_weights.h"

namespace saliency {

struct LayerCalibration {
  std::string layer;
  std::optional<double> feature_spread;           // >= 0
  std::optional<double> classification_accuracy;  // in [0,1]
};

struct LayerWeights {
  std::vector<LayerCalibration>
      layers;                 // shallow to deep; empty: not calibrated
  std::string model_sha256;   // hex digest of what was measured; empty: unknown
  std::string calibrated_at;  // "2024-05-31T12:00:00Z"
  std::string data;           // the labelled images in words
  int64_t images = 0;
  int classes = 0;

  bool calibrated() const { return !layers.empty(); }
  // The layer's gamma; none where it was not measured.
  // REQUIRES: IsCalibrated(weighting).
  std::optional<double> Gamma(Weighting weighting,
                              absl::string_view layer) const;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_LAYER_WEIGHTS_H_
