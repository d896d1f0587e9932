// The textbook forms that the product's closed forms are held against: every
// contribution is built, outer products included, in float64 on the CPU.  Slow
// and large by design; for tests only.

#ifndef SALIENCY_TESTS_SUPPORT_NAIVE_ORACLE_H_
#define SALIENCY_TESTS_SUPPORT_NAIVE_ORACLE_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "core/attribution/combine.h"
#include "core/attribution/extract_aggregate.h"
#include "core/attribution/layer_record.h"

namespace saliency::oracle {

// What each position adds to the gradient of the virtual identity's weight:
// [B,H,W,D] float64, D being the size of that weight (K, K K, 9 K K or 9 K).
at::Tensor Contribution(Extract extract, const LayerRecord& record);

// Phase 2, over the last dimension: [B,H,W,D] to [B,H,W].
at::Tensor AggregateLast(Aggregate aggregate, const at::Tensor& contribution);

// What each output position adds to the weight gradient of a real convolution:
// [B,H,W,Kout,Kin/groups,kh,kw] float64, so that the sum over B, H and W is the
// gradient of the weight.
at::Tensor RealConvContribution(const ConvRecord& record);

// Bilinear with align_corners = false, one output pixel at a time.
at::Tensor Resize(const at::Tensor& maps, int64_t height, int64_t width);

// A Gaussian of sigma = fraction x longer side, half width ceil(4 sigma), with
// replicate padding, as a two-dimensional sum at each pixel.
at::Tensor Smooth(const at::Tensor& maps, double sigma_fraction);

// Raw maps [B,H_j,W_j] of several layers, resized, normalised and joined pixel
// by pixel; constant layers left out and the others' weights scaled up.
at::Tensor CombineLayers(const std::vector<at::Tensor>& layers, int64_t height,
                         int64_t width, const std::vector<double>& weights,
                         CombineRule rule);

// Spearman's correlation of two maps: each rank by counting what is smaller and
// half of what is equal, then Pearson's formula.  NaN when one is constant.
double Spearman(const at::Tensor& a, const at::Tensor& b);

// gamma of feature_spread.h for [M,K,H,W].
double FeatureSpread(const at::Tensor& features);

}  // namespace saliency::oracle

#endif  // SALIENCY_TESTS_SUPPORT_NAIVE_ORACLE_H_
