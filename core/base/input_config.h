// How an image of any size becomes a model's input.  Shared by the image room,
// which does it, and the model room, which knows what its model wants.
// Value type; thread-compatible.

#ifndef SALIENCY_CORE_BASE_INPUT_CONFIG_H_
#define SALIENCY_CORE_BASE_INPUT_CONFIG_H_

#include <array>
#include <cstdint>

namespace saliency {

enum class InputGeometry {
  kSquash,        // resize to height x width, aspect ratio not kept
  kShortestSide,  // resize so that the shorter side is `resize`; size varies
  kCentreCrop,    // the same, then crop height x width from the centre
};

// The defaults are what a folder with nothing but 1/model.pt gets.
struct InputConfig {
  int64_t height = 224;  // pixels; what shapes are measured at, kShortestSide
  int64_t width = 224;   // included
  InputGeometry geometry = InputGeometry::kSquash;
  int64_t resize = 256;  // pixels; shortest side, unused by kSquash
  // Per channel in R, G, B order, in units of the scaled value: ImageNet's.
  std::array<float, 3> mean = {0.485F, 0.456F, 0.406F};
  std::array<float, 3> std = {0.229F, 0.224F, 0.225F};
  float value_max = 1;  // pixel 255 becomes this before mean and std
  bool bgr = false;     // channel order of the input tensor
};

// What black and white are after preprocessing, per channel in the model's own
// order.
struct PixelRange {
  std::array<float, 3> black = {};
  std::array<float, 3> white = {};
};

inline PixelRange PixelRangeOf(const InputConfig& config) {
  PixelRange range;
  for (int channel = 0; channel < 3; ++channel) {
    const int colour = config.bgr ? 2 - channel : channel;
    range.black[channel] = -config.mean[colour] / config.std[colour];
    range.white[channel] =
        (config.value_max - config.mean[colour]) / config.std[colour];
  }
  return range;
}

// A rectangle of whole pixels on an image.
struct PixelRect {
  int64_t y = 0;
  int64_t x = 0;
  int64_t height = 0;
  int64_t width = 0;

  friend bool operator==(const PixelRect&, const PixelRect&) = default;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_INPUT_CONFIG_H_
