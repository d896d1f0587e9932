// Gaussian smoothing of maps at a cost per pixel that does not grow with sigma:
// a caller may ask for a blur half as wide as an image of 40 megapixels.
// Pure functions; safe from any thread; inputs are not modified.
//
// Maps are [B,H,W] float32 on any device.

#ifndef SALIENCY_CORE_ATTRIBUTION_SMOOTH_H_
#define SALIENCY_CORE_ATTRIBUTION_SMOOTH_H_

#include "ATen/core/Tensor.h"

namespace saliency {

// Below this many pixels sigma is taken as it is, tap by tap.
inline constexpr double kExactSigma = 16;

// Separable Gaussian with sigma = `sigma_fraction` x the longer side, half
// width ceil(4 sigma), taps summing to 1, replicate padding.  From kExactSigma
// pixels on it is computed on a coarser grid: within 5e-4 of the difference
// between the map's largest and smallest value.
// REQUIRES: sigma_fraction >= 0; 0 returns the maps as they are.
at::Tensor SmoothMaps(const at::Tensor& maps, double sigma_fraction);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_SMOOTH_H_
