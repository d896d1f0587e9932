// Small networks with the operators that a meta step moves, one by one, and the
// exact derivative of a map along a step.

#ifndef SALIENCY_TESTS_MODEL_META_NETS_H_
#define SALIENCY_TESTS_MODEL_META_NETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/probed_model.h"
#include "tests/support/tiny_models.h"

namespace saliency {

struct MetaNet {
  std::string name;
  TinyModule module;       // of 3 x 8 x 8 images, five classes
  std::string last_layer;  // the deepest with positions
  MetaPath path;           // that it takes when left alone
};

// Weights from LibTorch's default generator.
std::vector<MetaNet> MetaNets();

// Convolution, batch norm, residual and linear layer with tanh throughout:
// without kinks, so that small steps change maps smoothly.
TinyModule SmoothNet();

// d/d(epsilon) at 0 of SmoothNet's linear approximation at "body" for class
// `target`, one descent step along the cross-entropy of that class.  In
// float64, by differentiating twice through autograd.  [1,H,W].
at::Tensor SmoothNetDerivative(const TinyModule& net, const at::Tensor& image,
                               int64_t target);

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_META_NETS_H_
