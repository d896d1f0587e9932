// Spearman's rank correlation.  Here, without LibTorch, because the client
// takes it of maps that it has.
//
// Source: C. Spearman, "The proof and measurement of association between two
// things", American Journal of Psychology 1904; ties take their average rank
// (M. G. Kendall, Biometrika 1945).  The paper, sec. 4.1, 4.3, 4.5.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_BASE_RANK_CORRELATION_H_
#define SALIENCY_CORE_BASE_RANK_CORRELATION_H_

#include <optional>

#include "absl/types/span.h"

namespace saliency {

// Whether values say nothing: max - min <= kConstantTolerance x max|v| is
// rounding, not evidence.  Never for values that are not all finite.
inline constexpr double kConstantTolerance = 1e-6;
bool IsConstant(absl::Span<const float> values);

// In [-1,1]; tied values take their average rank.  None where it is undefined:
// either side is constant or not finite, or there are no values.  Never 0 for
// want of an answer.
// REQUIRES: as many values on both sides.
std::optional<double> RankCorrelation(absl::Span<const float> a,
                                      absl::Span<const float> b);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_RANK_CORRELATION_H_
