#include "core/engine/check_output.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/render.h"

namespace saliency {
namespace {

constexpr int kMaxTop = 100;
constexpr double kMaxSigma = 0.5;  // of the map's longer side

absl::Status CheckEncoding(const OutputOptions& output, const JobInput& input) {
  if (output.encoding == MapEncoding::kPng16 && !output.normalise) {
    return absl::InvalidArgumentError(
        "output.encoding PNG16 needs output.normalise");
  }
  if (output.encoding != MapEncoding::kOverlayPng) return absl::OkStatus();
  if (const auto* maps = std::get_if<GivenMaps>(&input)) {
    if (maps->picture.empty()) {
      return absl::InvalidArgumentError(
          "output.encoding OVERLAY_PNG needs maps.picture");
    }
  } else if (!std::holds_alternative<EncodedPicture>(input)) {
    return absl::InvalidArgumentError(
        "output.encoding OVERLAY_PNG needs input.picture, not input.tensor");
  }
  if (output.size != OutputSize::kPicture) {
    return absl::InvalidArgumentError(
        "output.encoding OVERLAY_PNG needs output.named_size PICTURE");
  }
  return absl::OkStatus();
}

// Of one map; kLayer varies with the layer.
int64_t OutputPixels(const OutputOptions& output, const InputSize& input,
                     int64_t layer_pixels) {
  switch (output.size) {
    case OutputSize::kPicture:
      return input.picture_pixels;
    case OutputSize::kLayer:
      return layer_pixels;
    case OutputSize::kModelInput:
      return input.input_pixels;
    case OutputSize::kExplicit:
      return output.height * output.width;
  }
  return 0;
}

// The longer side of a map; of one at its layer's size it is not known, nor so
// long.
int64_t LongerSide(const OutputOptions& output, const InputSize& input) {
  switch (output.size) {
    case OutputSize::kPicture:
      return input.picture_side;
    case OutputSize::kLayer:
      break;
    case OutputSize::kModelInput:
      return input.input_side;
    case OutputSize::kExplicit:
      return std::max(output.height, output.width);
  }
  return 0;
}

// Encoders have limits of their own, which would look like faults of ours.
absl::Status CheckSide(const OutputOptions& output, const InputSize& input) {
  if (output.encoding == MapEncoding::kNone ||
      output.encoding == MapEncoding::kFloat32) {
    return absl::OkStatus();
  }
  const int64_t side = LongerSide(output, input);
  const bool has_band =
      output.encoding == MapEncoding::kOverlayPng && output.overlay_title;
  const int64_t limit = kMaxPngSide - (has_band ? kMaxTitleBand : 0);
  if (side <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "output: a map with a side of ", side, " pixels, of at most ", limit,
      " in a PNG; ask for FLOAT32 or a smaller size"));
}

}  // namespace

absl::Status CheckOptions(const Job& job) {
  const OutputOptions& output = job.output;
  if (job.top_k < 1 || job.top_k > kMaxTop) {
    return absl::InvalidArgumentError(
        absl::StrCat("top_k ", job.top_k, " not in [1, ", kMaxTop, "]"));
  }
  if (output.size == OutputSize::kExplicit &&
      (output.height < 1 || output.width < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("output.explicit_size ", output.height, " x ",
                     output.width, " has a side below 1"));
  }
  // Written so that a NaN fails.
  if (!(output.smooth_sigma >= 0 && output.smooth_sigma <= kMaxSigma)) {
    return absl::InvalidArgumentError(
        absl::StrCat("output.smooth_sigma ", output.smooth_sigma,
                     " not in [0, ", kMaxSigma, "]"));
  }
  if (!(output.overlay_opacity >= 0 && output.overlay_opacity <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output.overlay_opacity ", output.overlay_opacity, " not in [0, 1]"));
  }
  if (!output.colour_map.empty()) {
    RETURN_IF_ERROR(
        Annotate(CheckColourMap(output.colour_map), "output.colour_map"));
  }
  if (output.size == OutputSize::kLayer && !job.combinations.empty()) {
    return absl::InvalidArgumentError(
        "output.named_size LAYER is not for combinations, whose layers differ "
        "in size");
  }
  return CheckEncoding(output, job.input);
}

absl::Status CheckMapPixels(const OutputOptions& output, const ResultPlan& plan,
                            const MapSizes& sizes, const EngineLimits& limits) {
  if (output.size == OutputSize::kExplicit &&
      output.height > limits.max_output_pixels / output.width) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output.explicit_size ", output.height, " x ", output.width,
        " has more than ", limits.max_output_pixels, " pixels"));
  }
  RETURN_IF_ERROR(CheckSide(output, sizes.input));
  double map_pixels = 0;
  const auto add = [&](int64_t layer_pixels) {
    const auto layer = static_cast<int64_t>(
        std::ceil(static_cast<double>(layer_pixels) * sizes.growth));
    const int64_t pixels = OutputPixels(output, sizes.input, layer);
    map_pixels += static_cast<double>(std::max(pixels, layer)) *
                  static_cast<double>(sizes.rows);
    if (pixels <= limits.max_output_pixels) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("output: a map of ", pixels,
                                                   " pixels, of at most ",
                                                   limits.max_output_pixels));
  };
  for (const auto* results : {&plan.results, &plan.layer_results}) {
    for (const PlannedResult& result : *results) {
      if (result.status.ok()) RETURN_IF_ERROR(add(result.layer_pixels));
    }
  }
  for (const PlannedCombination& combination : plan.combinations) {
    if (combination.status.ok()) RETURN_IF_ERROR(add(0));
  }
  if (map_pixels <= static_cast<double>(limits.max_map_pixels)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("maps x pixels: ", static_cast<int64_t>(map_pixels),
                   ", of at most ", limits.max_map_pixels));
}

absl::StatusOr<MapSizes> CheckVolume(const Job& job, const ModelFacts& model,
                                     const ResultPlan& plan,
                                     const InputSize& input, int64_t targets,
                                     const EngineLimits& limits) {
  const int64_t rows = input.pictures * targets;
  if (rows > limits.max_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("input.tensor x targets: ", input.pictures, " x ", targets,
                     " rows, of at most ", limits.max_rows));
  }
  // Layers grow with the input that they were measured at.
  const double growth =
      static_cast<double>(input.input_pixels) /
      static_cast<double>(model.config.input.height * model.config.input.width);
  const int64_t rows_of_maps = rows * (job.needs_plain() ? 2 : 1);
  const MapSizes sizes = {
      .input = input, .growth = growth, .rows = rows_of_maps};
  RETURN_IF_ERROR(CheckMapPixels(job.output, plan, sizes, limits));
  return sizes;
}

}  // namespace saliency
