// Extract and aggregate: every pair of the paper's phase 1 (which spatial
// contribution to a gradient a virtual identity layer makes at each position)
// and phase 2 (how that contribution becomes one number), by closed forms that
// never build the outer product of activation and gradient.
// Pure functions; safe from any thread; inputs are not modified.
//
// Source: the paper, sec. 3.1, Algorithm 1, Tables 1 and 2; `positive_sum` is
// sec. 3.1.3's filtering applied after the sum, `positive_norm` is "F+N".

#ifndef SALIENCY_CORE_ATTRIBUTION_EXTRACT_AGGREGATE_H_
#define SALIENCY_CORE_ATTRIBUTION_EXTRACT_AGGREGATE_H_

#include <array>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/attribution/layer_record.h"

namespace saliency {

// Phase 1: the virtual identity whose weight gradient is looked at.
enum class Extract {
  kBias,          // g
  kScaling,       // g . x, elementwise
  kConv1x1,       // x g^T, K x K per position
  kConv3x3,       // x_3x3 g^T, zero padded
  kDepthwise3x3,  // g_k x_k,3x3, zero padded
};
inline constexpr std::array kAllExtracts = {
    Extract::kBias, Extract::kScaling, Extract::kConv1x1, Extract::kConv3x3,
    Extract::kDepthwise3x3};

// Phase 2: from a position's contribution to one number.
enum class Aggregate {
  kSum,
  kPositiveSum,   // (sum)+
  kNorm,          // L2 (Frobenius) norm
  kPositiveNorm,  // norm of the positive part of the contribution
  kMax,           // signed maximum
  kMaxAbs,
};
inline constexpr std::array kAllAggregates = {
    Aggregate::kSum,          Aggregate::kPositiveSum, Aggregate::kNorm,
    Aggregate::kPositiveNorm, Aggregate::kMax,         Aggregate::kMaxAbs};

// "bias", "scaling", "conv1x1", "conv3x3", "depthwise3x3".
absl::string_view ExtractName(Extract extract);
// "sum", "positive_sum", "norm", "positive_norm", "max", "max_abs".
absl::string_view AggregateName(Aggregate aggregate);
// Errors: INVALID_ARGUMENT for an unknown name, listing the known ones.
absl::StatusOr<Extract> ParseExtract(absl::string_view name);
absl::StatusOr<Aggregate> ParseAggregate(absl::string_view name);

// Returns [B,H,W] float32 on the record's device.
// REQUIRES: activation and gradient are [B,K,H,W] float32 of the same shape.
at::Tensor ExtractAggregate(Extract extract, Aggregate aggregate,
                            const LayerRecord& record);

// Table 2, last row: the norm of a real convolution's weight gradient, position
// by position of its output, |g_out,u| |unfold(x_in)_u|; with groups the
// Frobenius norm over the groups' own blocks.
// Returns [B,H,W] float32 on the output's grid.
at::Tensor RealConvNorm(const ConvRecord& record);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_EXTRACT_AGGREGATE_H_
