#include "core/engine/run/segmented_inputs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "core/attribution/coalitions.h"
#include "core/attribution/superpixels.h"
#include "core/attribution/surrogate.h"

namespace saliency {
namespace {

// An image and what stands for the model around it.
struct SegmentedImage {
  at::Tensor labels;  // [H,W] int64, into the surrogate's segments
  Surrogate surrogate;
};

// [3,H,W] float32 in [0,1] of a model's input [C,H,W]; what lies beyond black
// and white is cut off.  Where channels are no colours, all three are their
// mean, from its smallest value to its largest.
at::Tensor RgbOf(const at::Tensor& input, const InputConfig& config) {
  if (!config.takes_images()) {
    const at::Tensor mean = input.mean(0, /*keepdim=*/true);
    const at::Tensor above = mean - mean.min();
    return (above / above.max().clamp_min(1e-12)).expand({3, -1, -1});
  }
  const PixelRange range = PixelRangeOf(config);
  at::Tensor rgb = at::empty_like(input);
  for (int64_t channel = 0; channel < config.channels; ++channel) {
    const float black = range.black[channel];
    rgb[config.ColourOf(channel)].copy_((input[channel] - black) /
                                        (range.white[channel] - black));
  }
  return rgb.clamp_(0, 1).expand({3, -1, -1});
}

Surrogate SurrogateOf(const Lime& method, int64_t segments) {
  return RidgeSurrogate(LimeCoalitions(method, segments), method.ridge);
}

Surrogate SurrogateOf(const KernelShap& method, int64_t segments) {
  return ShapleySurrogate(ShapleyCoalitions(method, segments));
}

template <typename Method>
SegmentedImage Segment(const Method& method, const InputConfig& config,
                       const at::Tensor& image) {
  Superpixels pixels =
      Slic(RgbOf(image, config),
           {.segments = method.segments, .compactness = method.compactness});
  return {.labels = std::move(pixels.labels),
          .surrogate = SurrogateOf(method, pixels.count)};
}

// [H,W] float32: 1 where a sample leaves the image, all of it beyond the last.
at::Tensor MaskOf(const SegmentedImage& image, int64_t sample) {
  const Coalitions& coalitions = image.surrogate.coalitions;
  if (sample >= coalitions.count()) {
    return at::ones(image.labels.sizes(), at::kFloat);
  }
  return coalitions.kept[sample].to(at::kFloat).index({image.labels});
}

template <typename Method>
std::shared_ptr<const SampledInputs> InputsOf(const Method& method,
                                              const InputConfig& config,
                                              const at::Tensor& images) {
  auto segmented = std::make_shared<std::vector<SegmentedImage>>();
  int64_t count = 0;  // the most of any image: they share samples' numbers
  for (int64_t i = 0; i < images.size(0); ++i) {
    segmented->push_back(Segment(method, config, images[i]));
    count = std::max(count, segmented->back().surrogate.coalitions.count());
  }
  auto inputs = std::make_shared<SampledInputs>();
  inputs->weights.assign(count, 1 / static_cast<double>(count));
  inputs->baseline = BaselineOf(method.baseline, config);
  inputs->make = [segmented](const SampledImage& image, int64_t sample) {
    return at::lerp(image.baseline, image.input,
                    MaskOf((*segmented)[image.number], sample));
  };
  inputs->region = [segmented, width = method.segments](
                       const SampledImage& image, int64_t sample) {
    return TermsOf((*segmented)[image.number].surrogate, sample, width);
  };
  inputs->finish = [segmented, count](const SampledImage& image,
                                      const at::Tensor& sum, double score) {
    const SegmentedImage& of = (*segmented)[image.number];
    const at::Tensor sums = sum[0] * static_cast<double>(count);
    return Coefficients(of.surrogate, sums, score).index({of.labels});
  };
  return inputs;
}

template <typename Method>
int64_t BytesOfEach(const Method& method, int64_t pixels) {
  constexpr int64_t kWide = sizeof(double);
  const auto segments = static_cast<int64_t>(method.segments);
  const auto samples = static_cast<int64_t>(method.samples);
  return kWide * pixels + samples * (segments + 2 * kWide) +
         kWide * segments * (segments + 2);
}

}  // namespace

bool HidesSegments(const Sampling& sampling) {
  return std::holds_alternative<Lime>(sampling) ||
         std::holds_alternative<KernelShap>(sampling);
}

std::shared_ptr<const SampledInputs> SegmentedInputs(const Sampling& sampling,
                                                     const InputConfig& config,
                                                     const at::Tensor& images) {
  if (const auto* lime = std::get_if<Lime>(&sampling)) {
    return InputsOf(*lime, config, images);
  }
  return InputsOf(std::get<KernelShap>(sampling), config, images);
}

int64_t SegmentBytes(const Sampling& sampling, int64_t pixels) {
  if (const auto* lime = std::get_if<Lime>(&sampling)) {
    return BytesOfEach(*lime, pixels);
  }
  const auto* shap = std::get_if<KernelShap>(&sampling);
  return shap == nullptr ? 0 : BytesOfEach(*shap, pixels);
}

}  // namespace saliency
