// What a probe saw, and the geometry of the real layer around it: the only
// things that phase 2 of extract-and-aggregate may look at.
// Value types; thread-compatible.
//
// Source: Rebuffi, Fong, Ji, Vedaldi, "There and Back Again: Revisiting
// Backpropagation Saliency Methods", CVPR 2020, arXiv:2004.02866 ("the paper"
// throughout this room), sec. 3.1.
//
// Legend of the room: B rows (a row is one image with one target), K
// channels, H x W spatial size of the probed layer, u a spatial position.
// Gradients are those of the target's score, +d(score)/dx, never of a loss.
// All tensors of a record are float32 on one device.

#ifndef SALIENCY_CORE_ATTRIBUTION_LAYER_RECORD_H_
#define SALIENCY_CORE_ATTRIBUTION_LAYER_RECORD_H_

#include <array>
#include <cstdint>

#include "ATen/core/Tensor.h"

namespace saliency {

// A virtual identity's view of one tensor (sec. 3.1.2).
struct LayerRecord {
  at::Tensor activation;  // [B,K,H,W] float32, x
  at::Tensor gradient;    // [B,K,H,W] float32, g
};

// A convolution as the model runs it; index 0 is vertical, 1 horizontal.
struct ConvGeometry {
  std::array<int64_t, 2> kernel = {1, 1};
  std::array<int64_t, 2> stride = {1, 1};
  // Zero rows (columns) added before and after: "same" padding of an even
  // kernel has one more after.
  std::array<int64_t, 2> padding_before = {0, 0};
  std::array<int64_t, 2> padding_after = {0, 0};
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
};

// A real convolution's input, and the gradient at its output.
struct ConvRecord {
  at::Tensor input;            // [B,Kin,Hin,Win] float32
  at::Tensor output_gradient;  // [B,Kout,H,W] float32
  ConvGeometry geometry;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_LAYER_RECORD_H_
