// From the sampled images' features to each layer's calibrated numbers.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ATTRIBUTION_MEASURE_LAYERS_H_
#define SALIENCY_CORE_ATTRIBUTION_MEASURE_LAYERS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/attribution/class_sample.h"
#include "core/attribution/layer_classifier.h"

namespace saliency {

struct MeasuredLayer {
  double feature_spread = 0;
  double classification_accuracy = 0;
};

struct LayerMeasurement {
  std::vector<MeasuredLayer> layers;
  std::vector<int64_t> classes;  // that took part, ascending
  int64_t training_images = 0;
  int64_t held_out_images = 0;
};

// A class that could not take part.
struct LeftOutClass {
  int64_t index = 0;
  std::string reason;  // "has 1 image, of at least 2"
};

struct MeasureOptions {
  ClassifierOptions classifier;
  double held_out = 0.3;  // in (0,1)
  uint64_t seed = 0;
  // After each layer, with how many are done.
  std::function<void(int64_t done)> on_layer;
};

// `channels` are those of the layers, one after another in the features.
// Classes without enough images are added to `left_out`.  Spread is measured
// over all images, by their chances.
// REQUIRES: the channels add up to the number of features.
// Errors: INVALID_ARGUMENT fewer than 2 classes or 4 images remain;
// CANCELLED.
absl::StatusOr<LayerMeasurement> MeasureLayers(
    const ClassSample& sample, absl::Span<const int64_t> channels,
    const MeasureOptions& options, std::vector<LeftOutClass>& left_out);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_MEASURE_LAYERS_H_
