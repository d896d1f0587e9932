// The variations of its input that a variant runs, and how their maps become
// one.  Immutable; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_SAMPLED_INPUTS_H_
#define SALIENCY_CORE_ENGINE_RUN_SAMPLED_INPUTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/attribution/sampling.h"
#include "core/base/input_config.h"

namespace saliency {

// An image of an item.  float32 on the CPU.
struct SampledImage {
  at::Tensor input;     // [1,C,H,W]
  at::Tensor baseline;  // [1,C,H,W]: SampledInputs::baseline of it
  // [K,H',W']: Variant::mask_activation; undefined for most.
  at::Tensor activation;
  int64_t number = 0;  // among the images of the item
};

struct SampledInputs {
  // What stands for nothing in an image [1,C,H,W] float32 on the CPU, as that;
  // null: the samples need none.  Made once for the samples of an image in a
  // pass.
  std::function<at::Tensor(const at::Tensor& image)> baseline;
  // Sample number `sample` of an image, [1,C,H,W] float32 on the CPU.
  std::function<at::Tensor(const SampledImage& image, int64_t sample)> make;
  std::vector<double> weights;  // of each sample's map; their sum is 1
  SampleStatistic statistic = SampleStatistic::kMean;
  // What stands for the activation at the input, [1,C,H,W]; null: what the
  // layer was given.
  std::function<at::Tensor(const SampledImage& image)> activation;
  // Where a sample's score belongs, float32 on the CPU, [H,W] or of another
  // size that all samples have and `finish` reads; null: maps are made of what
  // a pass records.
  std::function<at::Tensor(const SampledImage& image, int64_t sample)> region;
  // Makes the map, [H,W] float64, of the sum of all samples' maps, of which
  // image (its number and activation alone are known) and its own score; null:
  // it is the sum.
  std::function<at::Tensor(const SampledImage& image, const at::Tensor& sum,
                           double score)>
      finish;

  int64_t count() const { return static_cast<int64_t>(weights.size()); }
};

// Of an image [1,C,H,W] its baseline, of the same size.
std::function<at::Tensor(const at::Tensor& image)> BaselineOf(
    Baseline baseline, const InputConfig& config);

// Of methods that look at no image to choose their samples; those that hide
// segments are in segmented_inputs.h.  `config` says where black lies; images
// are of `height` x `width`.  `given` is IntegratedGradients::baseline_image as
// a model's input, [1,C,height,width] float32 on the CPU; undefined: none.  A
// sample depends on the image, the sampling and the sample's number alone.
std::shared_ptr<const SampledInputs> SampledInputsOf(
    const Sampling& sampling, const InputConfig& config, int64_t height,
    int64_t width, const at::Tensor& given = {});

// The baseline alone, for the score there.  `given` as above.
std::shared_ptr<const SampledInputs> BaselineInputs(
    const IntegratedGradients& method, const InputConfig& config,
    const at::Tensor& given = {});

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_SAMPLED_INPUTS_H_
