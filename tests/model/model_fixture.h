// What the tests of the model room share: loading a small model on the test's
// device, asking it, and the reference that autograd alone gives.

#ifndef SALIENCY_TESTS_MODEL_MODEL_FIXTURE_H_
#define SALIENCY_TESTS_MODEL_MODEL_FIXTURE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/probed_model.h"
#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/tiny_models.h"

namespace saliency {

// The same operators in the same order: what is left is the order in which
// gradients of several paths are added up.
inline constexpr double kSameOperators = 1e-6;
// Another batch size may take another kernel.
inline constexpr double kOtherBatch = 1e-5;

class ModelTest : public DeviceTest {
 protected:
  void SetUp() override;

  // On the test's device; images are 8 x 8 unless `options` say otherwise.
  std::unique_ptr<ProbedModel> Load(const TinyModule& tiny,
                                    LoadOptions options = {}) const;
  // [count,3,8,8] on the CPU.
  static at::Tensor Images(int64_t count);
  // A copy on the device that starts an autograd graph.
  at::Tensor Leaf(const at::Tensor& images) const;
};

std::vector<std::string> LayerNames(const ProbedModel& model);

// One row for each image, image p with class p % classes.
ProbeRequest EachImage(const at::Tensor& images, int64_t classes,
                       const std::vector<std::string>& layers);

// The sum of the scores of EachImage's rows.
at::Tensor EachScore(const at::Tensor& logits);

// d(score)/d(values[i]) by autograd alone; zero where there is no path.
std::vector<at::Tensor> Gradients(const at::Tensor& score,
                                  const std::vector<at::Tensor>& values);

// A value by layer, and "logits": what a network's reference computes.
using LayerValues = std::map<std::string, at::Tensor>;

// Runs EachImage over the layers of `values` and holds activations, gradients
// and logits against them.
void ExpectReference(ProbedModel& model, const at::Tensor& images,
                     const LayerValues& values);

// conv1 bn1 relu(in place) block{conv bn += relu(in place)} tail{conv relu} fc:
// five classes, each value below overwritten by the next operator.
TinyModule ResidualNet();
LayerValues ResidualValues(const TinyModule& net, const at::Tensor& x);

// A tiny convolution (padding 1 unless said) and linear layer, as operators.
at::Tensor ApplyConv(const TinyModule& net, const std::string& path,
                     const at::Tensor& x, int64_t stride = 1);
at::Tensor ApplyLinear(const TinyModule& net, const std::string& path,
                       const at::Tensor& x);

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_MODEL_FIXTURE_H_
