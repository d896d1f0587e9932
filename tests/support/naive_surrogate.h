// What the fits of LIME and kernel SHAP are held against: normal equations with
// a column for the offset, and Shapley values from their definition, in plain
// loops.  For tests only.

#ifndef SALIENCY_TESTS_SUPPORT_NAIVE_SURROGATE_H_
#define SALIENCY_TESTS_SUPPORT_NAIVE_SURROGATE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "core/attribution/coalitions.h"

namespace saliency::oracle {

// argmin_{b,c} sum_s w_s (y_s - b - z_s . c)^2 + ridge |c|^2, c alone.
std::vector<double> RidgeCoefficients(const Coalitions& coalitions,
                                      const std::vector<double>& scores,
                                      double ridge);

// argmin_c sum_s w_s (y_s - y_0 - z_s . c)^2 with sum c = score - y_0.
// REQUIRES: that it is the only one.
std::vector<double> ConstrainedCoefficients(const Coalitions& coalitions,
                                            const std::vector<double>& scores,
                                            double score);

// sum over S without i of |S|! (M - |S| - 1)! / M! (v(S with i) - v(S)), by the
// bits of S.
std::vector<double> ShapleyValues(
    int64_t segments, const std::function<double(uint64_t members)>& value);

}  // namespace saliency::oracle

#endif  // SALIENCY_TESTS_SUPPORT_NAIVE_SURROGATE_H_
