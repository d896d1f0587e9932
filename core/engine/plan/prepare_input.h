// From untrusted bytes to the tensor a model takes: first measured, by header
// and shape alone, then decoded.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_PREPARE_INPUT_H_
#define SALIENCY_CORE_ENGINE_PLAN_PREPARE_INPUT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/input_config.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/image/image.h"

namespace saliency {

// What an input will be, without decoding it.
struct InputSize {
  int64_t images = 1;
  // Of each, as decoded (an orientation that turns it not yet applied).
  int64_t image_height = 0;
  int64_t image_width = 0;
  int64_t input_pixels = 0;  // of the model's input, H x W
  int64_t input_side = 0;    // the longer one
  int64_t encoded_bytes = 0;

  int64_t image_pixels() const { return image_height * image_width; }
};

// Where an image lies behind the model's input.
struct ImageGeometry {
  int64_t height = 0;  // as decoded; a tensor input: the tensor's size
  int64_t width = 0;
  PixelRect region;  // the pixels that the model saw
};

struct PreparedInput {
  at::Tensor tensor;                  // [n,C,H,W] float32, CPU
  std::vector<ImageGeometry> images;  // n of them
  std::optional<Image> image;         // kept when asked for
};

enum class KeepImage { kNo, kYes };  // kYes: for overlays

// Errors: INVALID_ARGUMENT naming the field, the value and the limit.
absl::StatusOr<InputSize> MeasureInput(const JobInput& input,
                                       const InputConfig& config,
                                       const EngineLimits& limits);

// The same of an encoded image, of the request's field `field`.
absl::StatusOr<InputSize> MeasureImage(absl::string_view bytes,
                                       absl::string_view field,
                                       const InputConfig& config,
                                       const DecodeLimits& limits);

// Decodes and preprocesses; a tensor is copied.
// REQUIRES: MeasureInput found nothing wrong.
// Errors: INVALID_ARGUMENT undecodable, or a value that is not finite.
absl::StatusOr<PreparedInput> PrepareInput(const JobInput& input,
                                           const InputConfig& config,
                                           const EngineLimits& limits,
                                           KeepImage keep);

// The same of an encoded image, of the request's field `field`.
// REQUIRES: MeasureImage found nothing wrong.
absl::StatusOr<PreparedInput> PrepareImage(absl::string_view bytes,
                                           absl::string_view field,
                                           const InputConfig& config,
                                           const DecodeLimits& limits,
                                           KeepImage keep);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_PREPARE_INPUT_H_
