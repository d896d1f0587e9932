// Seeded random method_inputs, in shapes and memory layouts that closed forms
// tend to get wrong.

#ifndef SALIENCY_TESTS_ATTRIBUTION_RANDOM_RECORDS_H_
#define SALIENCY_TESTS_ATTRIBUTION_RANDOM_RECORDS_H_

#include <cstdint>

#include "c10/core/Device.h"
#include "core/attribution/method.h"

namespace saliency {

// A shape among 1x1 maps, single rows and columns, K = 1, odd sizes, and a
// layout among contiguous, channels last, transposed and sliced; all chosen by
// the seed.  Values of both signs, zeros among the activations.
LayerRecord RandomLayer(uint64_t seed, c10::Device device);

// A convolution among grouped, depthwise, strided, dilated, with even kernels
// and with more padding on one side than on the other.
ConvRecord RandomConv(uint64_t seed, c10::Device device);

// Everything that any method may ask for: the layer above, a convolution with
// the same number of rows, head weights.
MethodContext RandomContext(uint64_t seed, c10::Device device);

}  // namespace saliency

#endif  // SALIENCY_TESTS_ATTRIBUTION_RANDOM_RECORDS_H_
