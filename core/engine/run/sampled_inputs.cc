#include "core/engine/run/sampled_inputs.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <array>
#include <utility>

#include "core/attribution/gauss_legendre.h"
#include "core/attribution/perturbation.h"
#include "core/attribution/random_key.h"
#include "core/attribution/score_cam.h"
#include "core/attribution/smooth.h"

namespace saliency {
namespace {

std::shared_ptr<const SampledInputs> NoisyInputs(const SmoothGrad& method) {
  auto inputs = std::make_shared<SampledInputs>();
  inputs->statistic = method.statistic;
  inputs->weights.assign(method.samples, 1.0 / method.samples);
  inputs->make = [method](const SampledImage& sampled, int64_t sample) {
    const at::Tensor& image = sampled.input;
    auto generator = at::detail::createCPUGenerator(
        RandomKey(method.seed, /*stream=*/0, static_cast<uint64_t>(sample)));
    const double range = (image.max() - image.min()).item<double>();
    return at::add(image, at::randn(image.sizes(), generator),
                   method.noise_level * range);
  };
  return inputs;
}

// [1,C,1,1]: black after preprocessing, in the model's order of channels.
at::Tensor Black(const InputConfig& config) {
  return at::tensor(PixelRangeOf(config).black).view({1, -1, 1, 1});
}

std::function<at::Tensor(const at::Tensor& image)> PathStart(
    const IntegratedGradients& method, const InputConfig& config,
    const at::Tensor& given) {
  if (!given.defined()) return BaselineOf(method.baseline, config);
  return [given](const at::Tensor&) { return given; };
}

std::shared_ptr<const SampledInputs> InputsOnPath(
    const IntegratedGradients& method, const InputConfig& config,
    const at::Tensor& given) {
  Quadrature quadrature = GaussLegendre(method.steps);
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights = std::move(quadrature.weights);
  inputs->baseline = PathStart(method, config, given);
  inputs->make = [nodes = std::move(quadrature.nodes)](
                     const SampledImage& image, int64_t sample) {
    return at::lerp(image.baseline, image.input, nodes[sample]);
  };
  inputs->activation = [](const SampledImage& image) {
    return image.input - image.baseline;
  };
  return inputs;
}

std::shared_ptr<const SampledInputs> OccludedInputs(const Occlusion& method,
                                                    const InputConfig& config,
                                                    int64_t height,
                                                    int64_t width) {
  const OcclusionWindows windows(method, height, width);
  const auto count = static_cast<double>(windows.count());
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights.assign(windows.count(), 1 / count);
  inputs->baseline = BaselineOf(method.baseline, config);
  inputs->make = [windows](const SampledImage& image, int64_t sample) {
    return at::lerp(image.input, image.baseline, windows.Window(sample));
  };
  inputs->region = [windows](const SampledImage&, int64_t sample) {
    return windows.Window(sample);
  };
  inputs->finish = [count, coverage = windows.Coverage()](
                       const SampledImage&, const at::Tensor& sum,
                       double score) { return score - sum * count / coverage; };
  return inputs;
}

std::shared_ptr<const SampledInputs> MaskedInputs(const Rise& method,
                                                  const InputConfig& config) {
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights.assign(method.masks, 1.0 / method.masks);
  const auto mask = [method](const SampledImage& image, int64_t sample) {
    return RiseMask(method, sample, image.input.size(2), image.input.size(3));
  };
  inputs->baseline = BaselineOf(method.baseline, config);
  inputs->make = [mask](const SampledImage& image, int64_t sample) {
    return at::lerp(image.baseline, image.input, mask(image, sample));
  };
  inputs->region = mask;
  inputs->finish = [keep = method.keep_probability](
                       const SampledImage&, const at::Tensor& sum, double) {
    return sum / keep;
  };
  return inputs;
}

// A sample's "map" is its score at its channel, so that their sum has them all.
std::shared_ptr<const SampledInputs> ChannelMaskedInputs(
    const ScoreCam& method) {
  const auto channels = static_cast<double>(method.channels);
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights.assign(method.channels, 1 / channels);
  inputs->make = [](const SampledImage& image, int64_t channel) {
    if (!image.activation.defined()) return image.input;
    return at::mul(image.input,
                   ScoreCamMask(image.activation, channel, image.input.size(2),
                                image.input.size(3)));
  };
  inputs->region = [count = method.channels](const SampledImage&,
                                             int64_t channel) {
    at::Tensor place = at::zeros({1, count}, at::kFloat);
    place[0][channel].fill_(1);
    return place;
  };
  inputs->finish = [channels](const SampledImage& image, const at::Tensor& sum,
                              double) {
    return ScoreCamMap(image.activation, sum.view(-1) * channels);
  };
  return inputs;
}

}  // namespace

std::function<at::Tensor(const at::Tensor& image)> BaselineOf(
    Baseline baseline, const InputConfig& config) {
  switch (baseline) {
    case Baseline::kBlack:
      return [black = Black(config)](const at::Tensor& image) {
        return black.expand_as(image);
      };
    case Baseline::kMean:
      break;
    case Baseline::kBlurred:
      return [](const at::Tensor& image) {
        return SmoothMaps(image.squeeze(0), kBlur).unsqueeze(0);
      };
  }
  return [](const at::Tensor& image) { return at::zeros_like(image); };
}

std::shared_ptr<const SampledInputs> SampledInputsOf(const Sampling& sampling,
                                                     const InputConfig& config,
                                                     int64_t height,
                                                     int64_t width,
                                                     const at::Tensor& given) {
  if (const auto* smooth = std::get_if<SmoothGrad>(&sampling)) {
    return NoisyInputs(*smooth);
  }
  if (const auto* path = std::get_if<IntegratedGradients>(&sampling)) {
    return InputsOnPath(*path, config, given);
  }
  if (const auto* rise = std::get_if<Rise>(&sampling)) {
    return MaskedInputs(*rise, config);
  }
  if (const auto* channels = std::get_if<ScoreCam>(&sampling)) {
    return ChannelMaskedInputs(*channels);
  }
  return OccludedInputs(std::get<Occlusion>(sampling), config, height, width);
}

std::shared_ptr<const SampledInputs> BaselineInputs(
    const IntegratedGradients& method, const InputConfig& config,
    const at::Tensor& given) {
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights = {1};
  inputs->baseline = PathStart(method, config, given);
  inputs->make = [](const SampledImage& image, int64_t) {
    return image.baseline.contiguous();
  };
  return inputs;
}

}  // namespace saliency
