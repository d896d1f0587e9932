// Compares tensors row by row, each row against its own magnitude: raw maps of
// 1e-6 are ordinary, and rows of one batch may differ by orders of magnitude.

#ifndef SALIENCY_TESTS_SUPPORT_TENSOR_CLOSE_H_
#define SALIENCY_TESTS_SUPPORT_TENSOR_CLOSE_H_

#include "ATen/core/Tensor.h"
#include "gtest/gtest.h"

namespace saliency {

// Success when, for every row b of the first dimension,
// max|actual_b - expected_b| <= tolerance * max|expected_b|, computed in
// float64 on the CPU.  A failure names the first index that is too far off,
// both values, and the row's largest difference.  NaN is never close.
testing::AssertionResult RowsClose(const at::Tensor& actual,
                                   const at::Tensor& expected,
                                   double tolerance);

// Equal shapes and equal values, to the last bit.
testing::AssertionResult Identical(const at::Tensor& actual,
                                   const at::Tensor& expected);

}  // namespace saliency

#endif  // SALIENCY_TESTS_SUPPORT_TENSOR_CLOSE_H_
