// How much a layer's features differ between pictures: the gamma of the
// FEATURE_SPREAD weighting.
//
// With xbar_i the spatial mean of the layer's activation for picture i, taken
// over M pictures that are sampled uniformly over the classes,
//   x_mu  = (1/M) sum_i |xbar_i|
//   gamma = mean over channels of (1/M) sum_i | xbar_i - x_mu |
// with elementwise absolute values.  (The paper's xbar is the sum over
// positions, which is the mean times the layer's area; the mean lets layers of
// different resolution be compared.)
//
// x_mu is known only at the end, so the means are kept: 4 K bytes a picture,
// whatever the layer's resolution.
//
// Source: the paper, sec. 4.2.
// Thread-compatible.

#ifndef SALIENCY_CORE_ATTRIBUTION_FEATURE_SPREAD_H_
#define SALIENCY_CORE_ATTRIBUTION_FEATURE_SPREAD_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace saliency {

class FeatureSpread {
 public:
  // Takes in the pictures of a batch; `activation` is [B,K,H,W] float32 on any
  // device and is not kept.
  // Errors: INVALID_ARGUMENT another number of channels than before, or a mean
  //   that is not finite; nothing of the batch is then taken in.
  absl::Status Add(const at::Tensor& activation);

  int64_t pictures() const { return pictures_; }
  // The pictures' spatial means in the order they came: [M,K] float32, CPU.
  // The features that a linear classifier of this layer is trained on.
  // REQUIRES: pictures() > 0.
  at::Tensor means() const;

  // gamma; >= 0, and 0 only when every picture looks alike to this layer.
  // Errors: FAILED_PRECONDITION no picture was added.
  absl::StatusOr<double> Gamma() const;
  // The same where picture i is drawn with chance chances[i], which takes the
  // place of 1/M above: [M] float64, CPU, sum 1.
  // REQUIRES: as many chances as pictures.
  absl::StatusOr<double> Gamma(const at::Tensor& chances) const;

 private:
  std::vector<at::Tensor> batches_;  // [B,K] each
  int64_t pictures_ = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_FEATURE_SPREAD_H_
