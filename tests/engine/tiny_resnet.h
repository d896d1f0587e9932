// The golden network that the engine's tests run real passes on, and images
// for it.
// Pure functions; safe from any thread.

#ifndef SALIENCY_TESTS_ENGINE_TINY_RESNET_H_
#define SALIENCY_TESTS_ENGINE_TINY_RESNET_H_

#include <cstdint>
#include <memory>

#include "core/engine/job.h"
#include "core/model/loaded_model.h"

namespace saliency {

inline constexpr int64_t kTinyHeight = 56;  // what tiny_resnet was made for
inline constexpr int64_t kTinyWidth = 40;

// One replica on the CPU, version 1, default layer "layer4".
std::shared_ptr<LoadedModel> LoadTinyResnet();

// [images,3,kTinyHeight,kTinyWidth] of normal noise, the same for a seed.
TensorInput RandomTensor(int seed, int64_t images = 1);

}  // namespace saliency

#endif  // SALIENCY_TESTS_ENGINE_TINY_RESNET_H_
