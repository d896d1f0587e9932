// How an image of any size becomes a model's input.  Shared by the image room,
// which does it, and the model room, which knows what its model wants.
// Value type; thread-compatible.

#ifndef SALIENCY_CORE_BASE_INPUT_CONFIG_H_
#define SALIENCY_CORE_BASE_INPUT_CONFIG_H_

#include <cstdint>
#include <vector>

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
  // Of the input tensor: 3 are an image's colours, 1 is its luminance; no image
  // becomes any other number, of which callers send tensors.
  int64_t channels = 3;
  InputGeometry geometry = InputGeometry::kSquash;
  int64_t resize = 256;  // pixels; shortest side, unused by kSquash
  // Per channel, colours in R, G, B order, in units of the scaled value:
  // ImageNet's.
  std::vector<float> mean = {0.485F, 0.456F, 0.406F};
  std::vector<float> std = {0.229F, 0.224F, 0.225F};
  float value_max = 1;  // pixel 255 becomes this before mean and std
  bool bgr = false;     // channel order of the input tensor

  // With that many channels' default mean and std.
  void SetChannels(int64_t count) {
    channels = count;
    if (count == 3) return;
    mean.assign(count, 0);
    std.assign(count, 1);
  }
  bool takes_images() const { return channels == 1 || channels == 3; }
  // Where the mean and std of a channel of the input tensor stand.
  int64_t ColourOf(int64_t channel) const {
    return bgr ? channels - 1 - channel : channel;
  }
};

// What black and white are after preprocessing, per channel in the model's own
// order.
struct PixelRange {
  std::vector<float> black;
  std::vector<float> white;
};

inline PixelRange PixelRangeOf(const InputConfig& config) {
  PixelRange range;
  for (int64_t channel = 0; channel < config.channels; ++channel) {
    const int64_t colour = config.ColourOf(channel);
    range.black.push_back(-config.mean[colour] / config.std[colour]);
    range.white.push_back((config.value_max - config.mean[colour]) /
                          config.std[colour]);
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
