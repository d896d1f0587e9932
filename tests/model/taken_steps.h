// The meta step itself, parameter by parameter: as either path takes it, and as
// a plain step of SGD by autograd on the module.
// Thread-compatible.

#ifndef SALIENCY_TESTS_MODEL_TAKEN_STEPS_H_
#define SALIENCY_TESTS_MODEL_TAKEN_STEPS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/probed_network.h"
#include "gtest/gtest.h"

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace saliency {

// By dotted path: grad L of each parameter.  Those that the loss does not
// depend on are missing, or zero.
using ParameterGradients = std::map<std::string, at::Tensor>;

// float32 on the CPU, ready for the functions below.
std::unique_ptr<ProbedNetwork> LoadNetwork(const std::string& file);

// Of the cross-entropy of class `target` for one image [1,3,H,W], as the
// reference path has it: theta - theta', over the size of the step.
ParameterGradients ReferenceGradients(ProbedNetwork& network,
                                      const at::Tensor& image, int64_t target);

// The same as the fast path has it, row r with class `targets[r]`, all in one
// batch; nullopt where the network does not take that path.
std::optional<std::vector<ParameterGradients>> FastGradients(
    ProbedNetwork& network, const at::Tensor& images,
    const std::vector<int64_t>& targets);

// The same by autograd through the module's own forward(), which is in eval
// mode and of the image's type, and a step in place: what parameters that
// share memory do to each other is in it.  The module is as it was afterwards.
ParameterGradients AutogradGradients(const torch::jit::Module& module,
                                     const at::Tensor& image, int64_t target);

// The largest difference of each parameter in `actual`, as a share of that
// parameter's largest gradient; of those whose gradient is zero but for
// rounding, of the largest of all times 1e-6.
std::map<std::string, double> Differences(const ParameterGradients& actual,
                                          const ParameterGradients& expected);

// No difference larger than `tolerance`.
testing::AssertionResult GradientsClose(const ParameterGradients& actual,
                                        const ParameterGradients& expected,
                                        double tolerance);

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_TAKEN_STEPS_H_
