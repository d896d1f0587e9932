// One convolution's part in excitation backprop and in relevance propagation,
// by what each single weight contributes: the definitions as they are printed.
// Pure functions.

#ifndef SALIENCY_TESTS_MODEL_RULE_ORACLE_H_
#define SALIENCY_TESTS_MODEL_RULE_ORACLE_H_

#include "ATen/core/Tensor.h"

namespace saliency {

// A 3x3 convolution of stride and padding 1: x [B,I,H,W], weight [J,I,3,3].
struct ConvContributions {
  at::Tensor all;   // c_ij = x_i w_ij: [B,J,I 9,H W]
  at::Tensor bias;  // [1,J,1,1]
  at::Tensor z;     // sum_i c_ij + b_j: [B,J,1,H W]
};
ConvContributions ContributionsOf(const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias);

// What each input gets when output j hands on share_ij times what it has:
// [B,I,H,W] of shares as c and `signal` [B,J,H,W].
at::Tensor HandOn(const at::Tensor& shares, const at::Tensor& signal,
                  const at::Tensor& x);

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_RULE_ORACLE_H_
