#include "core/engine/run/sampled_inputs.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <array>
#include <utility>

#include "core/attribution/gauss_legendre.h"
#include "core/attribution/random_key.h"

namespace saliency {
namespace {

std::shared_ptr<const SampledInputs> NoisyInputs(const SmoothGrad& method) {
  auto inputs = std::make_shared<SampledInputs>();
  inputs->statistic = method.statistic;
  inputs->weights.assign(method.samples, 1.0 / method.samples);
  inputs->make = [method](const at::Tensor& image, int64_t sample) {
    auto generator = at::detail::createCPUGenerator(
        RandomKey(method.seed, /*stream=*/0, static_cast<uint64_t>(sample)));
    const double range = (image.max() - image.min()).item<double>();
    return at::add(image, at::randn(image.sizes(), generator),
                   method.noise_level * range);
  };
  return inputs;
}

// [1,3,1,1]: the baseline's values after preprocessing, in the model's order of
// channels.
at::Tensor BaselineOf(const IntegratedGradients& method,
                      const InputConfig& config) {
  const at::Tensor values = at::zeros({1, 3, 1, 1}, at::kFloat);
  if (method.baseline == IntegratedGradients::Baseline::kMean) return values;
  for (int64_t channel = 0; channel < 3; ++channel) {
    const int64_t colour = config.bgr ? 2 - channel : channel;
    values[0][channel].fill_(-config.mean[colour] / config.std[colour]);
  }
  return values;
}

std::shared_ptr<const SampledInputs> InputsOnPath(
    const IntegratedGradients& method, const InputConfig& config) {
  Quadrature quadrature = GaussLegendre(method.steps);
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights = std::move(quadrature.weights);
  const at::Tensor baseline = BaselineOf(method, config);
  inputs->make = [baseline, nodes = std::move(quadrature.nodes)](
                     const at::Tensor& image, int64_t sample) {
    return at::lerp(baseline.expand_as(image), image, nodes[sample]);
  };
  inputs->activation = [baseline](const at::Tensor& image) {
    return image - baseline;
  };
  return inputs;
}

}  // namespace

std::shared_ptr<const SampledInputs> SampledInputsOf(
    const Sampling& sampling, const InputConfig& config) {
  if (const auto* smooth = std::get_if<SmoothGrad>(&sampling)) {
    return NoisyInputs(*smooth);
  }
  return InputsOnPath(std::get<IntegratedGradients>(sampling), config);
}

std::shared_ptr<const SampledInputs> BaselineInputs(
    const IntegratedGradients& method, const InputConfig& config) {
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights = {1};
  inputs->make = [baseline = BaselineOf(method, config)](
                     const at::Tensor& image, int64_t) {
    return baseline.expand_as(image).contiguous();
  };
  return inputs;
}

}  // namespace saliency
