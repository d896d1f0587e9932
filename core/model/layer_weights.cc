#include "core/model/layer_weights.h"

#include <cassert>

namespace saliency {

std::optional<double> LayerWeights::Gamma(Weighting weighting,
                                          absl::string_view layer) const {
  assert(IsCalibrated(weighting));
  for (const LayerCalibration& calibration : layers) {
    if (calibration.layer != layer) continue;
    return weighting == Weighting::kFeatureSpread
               ? calibration.feature_spread
               : calibration.classification_accuracy;
  }
  return std::nullopt;
}

}  // namespace saliency
