// How much a layer's features differ between images: the gamma of the
// FEATURE_SPREAD weighting.
//
// With xbar_i the spatial mean of the layer's activation for image i, taken
// over M images that are sampled uniformly over the classes,
//   x_mu  = (1/M) sum_i |xbar_i|
//   gamma = mean over channels of (1/M) sum_i | xbar_i - x_mu |
// with elementwise absolute values.  (The paper's xbar is the sum over
// positions, which is the mean times the layer's area; the mean lets layers of
// different resolution be compared.)
//
// x_mu is known only at the end, so the means are kept: 4 K bytes an image,
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
  // Takes in the images of a batch; `activation` is [B,K,H,W] float32 on any
  // device and is not kept.
  // Errors: INVALID_ARGUMENT another number of channels than before, or a mean
  //   that is not finite; nothing of the batch is then taken in.
  absl::Status Add(const at::Tensor& activation);

  int64_t images() const { return images_; }
  // The images' spatial means in the order they came: [M,K] float32, CPU.
  // The features that a linear classifier of this layer is trained on.
  // REQUIRES: images() > 0.
  at::Tensor means() const;

  // gamma; >= 0, and 0 only when every image looks alike to this layer.
  // Errors: FAILED_PRECONDITION no image was added.
  absl::StatusOr<double> Gamma() const;
  // The same where image i is drawn with chance chances[i], which takes the
  // place of 1/M above: [M] float64, CPU, sum 1.
  // REQUIRES: as many chances as images.
  absl::StatusOr<double> Gamma(const at::Tensor& chances) const;

 private:
  std::vector<at::Tensor> batches_;  // [B,K] each
  int64_t images_ = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_FEATURE_SPREAD_H_
