// Gradients of convolutions with 3x3 kernels at stride 1 by Winograd's minimal
// filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", CVPR 2016, arXiv:1509.09308, sec. 4): a tile of 4x4 outputs takes
// 36 multiplications in place of 144.  The products of each of the 36 points
// are one matrix product.
//
// Rounding errors reach 2e-5 of the largest value, those of the direct sums
// 2e-6 (64 to 512 channels).  What is not finite spoils its whole tile: 4x4
// values, as NaN.
//
// float32 on the CPU, without autograd: results have no history.  Operands may
// lie in any memory order, results lie in planes.  Internal to the model room.
// Pure functions, safe from any thread; as LibTorch's own they throw where
// sizes do not fit.
//
// Legend: R rows, C and K channels in and out; x [R,C,Hin,Win] the input, g
// [R,K,H,W] the output gradient, weight [K,C,3,3].  No side is empty.

#ifndef SALIENCY_CORE_MODEL_WINOGRAD_H_
#define SALIENCY_CORE_MODEL_WINOGRAD_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/attribution/layer_record.h"

namespace saliency {

// Whether the functions below can take a convolution of this geometry.
bool HasWinogradForm(const ConvGeometry& geometry);

// Whether they take less time than LibTorch's own kernels without AVX-512, by
// multiplications; false where the output would be empty.
// REQUIRES: HasWinogradForm(geometry).
bool IsInputGradientQuickerByWinograd(const at::Tensor& x, int64_t channels_out,
                                      const ConvGeometry& geometry);
bool IsWeightGradientQuickerByWinograd(const at::Tensor& x,
                                       int64_t channels_out,
                                       const ConvGeometry& geometry);

// d/dx of W * x.
// REQUIRES: HasWinogradForm(geometry).
at::Tensor WinogradInputGradient(const at::Tensor& g, const at::Tensor& weight,
                                 const ConvGeometry& geometry);

// d/dW of W * x, summed over the rows.
// REQUIRES: HasWinogradForm(geometry).
at::Tensor WinogradWeightGradient(const at::Tensor& x, const at::Tensor& g,
                                  const ConvGeometry& geometry);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_WINOGRAD_H_
