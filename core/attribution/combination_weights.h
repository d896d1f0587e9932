// How much each layer counts in a combined map: w_j = gamma_j / sum gamma.
// Value type, checked once in Create; thread-compatible.
//
// Source: the paper, sec. 4.2 (gamma of each weighting: methods of Table 3).

#ifndef SALIENCY_CORE_ATTRIBUTION_COMBINATION_WEIGHTS_H_
#define SALIENCY_CORE_ATTRIBUTION_COMBINATION_WEIGHTS_H_

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace saliency {

enum class Weighting {
  kUniform,                 // 1 for each layer
  kLinear,                  // j for the j-th of the layers as listed
  kExplicit,                // the caller's numbers
  kFeatureSpread,           // calibrated: feature_spread.h
  kClassificationAccuracy,  // calibrated: held-out accuracy of a linear
                            // classifier on the layer's features
};

// "uniform", "linear", "explicit", "feature_spread", "classification_accuracy".
absl::string_view WeightingName(Weighting weighting);

// Whether the weighting's gamma is measured on labelled images.
bool IsCalibrated(Weighting weighting);

class CombinationWeights {
 public:
  // `gamma` holds a number for each of `layers` layers, shallow to deep; it is
  // empty for kUniform and kLinear, which need none.
  // Errors: INVALID_ARGUMENT no layer; another number of gammas; one that is
  //   negative or not finite, by position; all of them zero.
  static absl::StatusOr<CombinationWeights> Create(
      Weighting weighting, int layers, absl::Span<const double> gamma = {});

  // One for each layer, in the order given: not negative, summing to 1.
  const std::vector<double>& values() const { return values_; }
  int layers() const { return static_cast<int>(values_.size()); }

 private:
  explicit CombinationWeights(std::vector<double> values)
      : values_(std::move(values)) {}

  std::vector<double> values_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_COMBINATION_WEIGHTS_H_
