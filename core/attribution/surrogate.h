// The linear model that LIME and kernel SHAP fit to the scores of samples which
// leave some segments of an image: its coefficients are what the segments
// count.  Given which segments the samples leave, they are linear in the
// scores, so that sums over samples are all that is kept of those. Pure
// functions; safe from any thread.
//
// z_s in {0,1}^M is what sample s leaves, w_s its weight, y_s its score.

#ifndef SALIENCY_CORE_ATTRIBUTION_SURROGATE_H_
#define SALIENCY_CORE_ATTRIBUTION_SURROGATE_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/attribution/coalitions.h"

namespace saliency {

// On the CPU.
struct Surrogate {
  Coalitions coalitions;
  at::Tensor offset_weights;  // [n] float64: of scores in the first sum
  // The coefficients are of_sums [M,1+M] times the sums over s of y_s
  // (offset_weight_s, w_s z_s), and of_score [M] times the score of the image
  // itself.  float64.
  at::Tensor of_sums;
  at::Tensor of_score;
};

// Minimises sum_s w_s (y_s - b - z_s . c)^2 + ridge |c|^2 over b and c.  Where
// that leaves c open (`ridge` 0) it is the smallest.
Surrogate RidgeSurrogate(Coalitions coalitions, double ridge);

// Minimises sum_s w_s (y_s - y_0 - z_s . c)^2 over the c that sum to the score
// of the image less y_0, that of sample 0.  Where that leaves c open it is the
// nearest to equal shares.
Surrogate ShapleySurrogate(Coalitions coalitions);

// What a sample adds to the sums for each unit of its score, [1,1+width]
// float32; zeros behind 1 + M, and of samples beyond the last.
// REQUIRES: width >= M.
at::Tensor TermsOf(const Surrogate& surrogate, int64_t sample, int64_t width);

// [M] float64, of sums [1+M or more] float64.
at::Tensor Coefficients(const Surrogate& surrogate, const at::Tensor& sums,
                        double score);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_SURROGATE_H_
