// The samples of LIME and kernel SHAP: an image with some of its superpixels
// hidden by a baseline, and what their scores say of each superpixel.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_SEGMENTED_INPUTS_H_
#define SALIENCY_CORE_ENGINE_RUN_SEGMENTED_INPUTS_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "core/attribution/sampling.h"
#include "core/base/input_config.h"
#include "core/engine/run/sampled_inputs.h"

namespace saliency {

// Whether it is one of both.
bool HidesSegments(const Sampling& sampling);

// Of the images [n,C,H,W] float32 on the CPU of an item; `config` says where
// black and white lie. Each image has superpixels of its own, of which the
// samples depend on their count and the seed alone.
// REQUIRES: HidesSegments(sampling); CheckSampling(sampling) is OK.
std::shared_ptr<const SampledInputs> SegmentedInputs(const Sampling& sampling,
                                                     const InputConfig& config,
                                                     const at::Tensor& images);

// Bytes for each pixel of an image while its superpixels are made.
inline constexpr int64_t kSegmentScratch = 192;
// Bytes that are held for each image of so many pixels; 0 for other methods.
int64_t SegmentBytes(const Sampling& sampling, int64_t pixels);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_SEGMENTED_INPUTS_H_
