#include "core/engine/plan/check_output.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/engine/plan/answer_bytes.h"
#include "core/engine/plan/shown_size.h"
#include "core/image/render.h"

namespace saliency {
namespace {

constexpr int kMaxTop = 100;
constexpr double kMaxSigma = 0.5;  // of the map's longer side
constexpr int64_t kMinMaxSide = 16;
constexpr int64_t kMaxMaxSide = 65'535;

const char* EncodingName(MapEncoding encoding) {
  switch (encoding) {
    case MapEncoding::kNone:
      return "NONE";
    case MapEncoding::kFloat32:
      return "FLOAT32";
    case MapEncoding::kPng16:
      return "PNG16";
    case MapEncoding::kColourPng:
      return "COLOUR_PNG";
    case MapEncoding::kOverlayPng:
      return "OVERLAY_PNG";
    case MapEncoding::kOverlayJpeg:
      return "OVERLAY_JPEG";
    case MapEncoding::kOverlayWebp:
      return "OVERLAY_WEBP";
  }
  return "";
}

absl::Status CheckEncoding(const OutputOptions& output, const JobInput& input) {
  if (output.encoding == MapEncoding::kPng16 && !output.normalise) {
    return absl::InvalidArgumentError(
        "output.encoding PNG16 needs output.normalise");
  }
  if (!IsOverlay(output.encoding)) return absl::OkStatus();
  const std::string field =
      absl::StrCat("output.encoding ", EncodingName(output.encoding));
  if (const auto* maps = std::get_if<PrecomputedMaps>(&input)) {
    if (maps->image.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " needs maps.image"));
    }
  } else if (!std::holds_alternative<EncodedImage>(input)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " needs input.image, not input.tensor"));
  }
  if (output.size != OutputSize::kImage) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " needs output.named_size IMAGE"));
  }
  return absl::OkStatus();
}

absl::Status CheckMaxSide(const OutputOptions& output) {
  if (!output.max_side.has_value()) return absl::OkStatus();
  if (output.size != OutputSize::kImage) {
    return absl::InvalidArgumentError(
        "output.max_side is for output.named_size IMAGE");
  }
  // 0: the image's own size.
  if (*output.max_side == 0 ||
      (*output.max_side >= kMinMaxSide && *output.max_side <= kMaxMaxSide)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "output.max_side ", *output.max_side, " is neither 0 nor in [",
      kMinMaxSide, ", ", kMaxMaxSide, "]"));
}

// The kind of file that an encoding makes, if it makes one.
std::optional<ImageCoding> CodingOf(MapEncoding encoding) {
  switch (encoding) {
    case MapEncoding::kNone:
    case MapEncoding::kFloat32:
      return std::nullopt;
    case MapEncoding::kPng16:
    case MapEncoding::kColourPng:
    case MapEncoding::kOverlayPng:
      return ImageCoding::kPng;
    case MapEncoding::kOverlayJpeg:
      return ImageCoding::kJpeg;
    case MapEncoding::kOverlayWebp:
      return ImageCoding::kWebp;
  }
  return std::nullopt;
}

// The longer side of a map; of one at its layer's size it is not known, nor so
// long.
int64_t LongerSide(const OutputOptions& output, const InputSize& input) {
  switch (output.size) {
    case OutputSize::kImage: {
      const ImageGeometry shown = ShownSize(output, input);
      return std::max(shown.height, shown.width);
    }
    case OutputSize::kLayer:
      break;
    case OutputSize::kModelInput:
      return input.input_side;
    case OutputSize::kExplicit:
      return std::max(output.height, output.width);
  }
  return 0;
}

const char* CodingName(ImageCoding coding) {
  switch (coding) {
    case ImageCoding::kPng:
      return "PNG";
    case ImageCoding::kJpeg:
      return "JPEG";
    case ImageCoding::kWebp:
      return "WebP";
  }
  return "";
}

// Both bands of an overlay at their highest.
constexpr int64_t kBandRows = 2 * kMaxBand;

// What no file of the encoding's kind can hold is not begun.
absl::Status CheckSides(const OutputOptions& output, const InputSize& input) {
  const std::optional<ImageCoding> coding = CodingOf(output.encoding);
  if (!coding.has_value()) return absl::OkStatus();
  const int64_t longest = LongerSide(output, input);
  const int64_t limit =
      LongestSide(*coding) - (IsOverlay(output.encoding) ? kBandRows : 0);
  if (longest <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "output: a map with a side of ", longest, " pixels, of at most ", limit,
      " in a ", CodingName(*coding), "; ask for FLOAT32 or a smaller size"));
}

int64_t GrownPixels(int64_t layer_pixels, double growth) {
  return static_cast<int64_t>(
      std::ceil(static_cast<double>(layer_pixels) * growth));
}

// Of one map; kLayer varies with the layer.
int64_t OutputPixels(const OutputOptions& output, const InputSize& input,
                     int64_t layer_pixels) {
  switch (output.size) {
    case OutputSize::kImage: {
      const ImageGeometry shown = ShownSize(output, input);
      return shown.height * shown.width;
    }
    case OutputSize::kLayer:
      return layer_pixels;
    case OutputSize::kModelInput:
      return input.input_pixels;
    case OutputSize::kExplicit:
      return output.height * output.width;
  }
  return 0;
}

}  // namespace

void CheckOptions(const Job& job, Violations& found) {
  const OutputOptions& output = job.output;
  if (job.top_k < 1 || job.top_k > kMaxTop) {
    found.Add(absl::InvalidArgumentError(
        absl::StrCat("top_k ", job.top_k, " not in [1, ", kMaxTop, "]")));
  }
  if (output.size == OutputSize::kExplicit &&
      (output.height < 1 || output.width < 1)) {
    found.Add(absl::InvalidArgumentError(
        absl::StrCat("output.explicit_size ", output.height, " x ",
                     output.width, " has a side below 1")));
  }
  // Written so that a NaN fails.
  if (!(output.smooth_sigma >= 0 && output.smooth_sigma <= kMaxSigma)) {
    found.Add(absl::InvalidArgumentError(
        absl::StrCat("output.smooth_sigma ", output.smooth_sigma,
                     " not in [0, ", kMaxSigma, "]")));
  }
  if (!(output.overlay_opacity >= 0 && output.overlay_opacity <= 1)) {
    found.Add(absl::InvalidArgumentError(absl::StrCat(
        "output.overlay_opacity ", output.overlay_opacity, " not in [0, 1]")));
  }
  if (!output.colour_map.empty()) {
    found.Add(Annotate(CheckColourMap(output.colour_map), "output.colour_map"));
  }
  if (output.size == OutputSize::kLayer && !job.combinations.empty()) {
    found.Add(absl::InvalidArgumentError(
        "output.named_size LAYER is not for combinations, whose layers differ "
        "in size"));
  }
  if (output.max_answer_bytes < 0) {
    found.Add(absl::InvalidArgumentError(absl::StrCat(
        "output.max_answer_bytes ", output.max_answer_bytes, " is below 0")));
  }
  found.Add(CheckMaxSide(output));
  found.Add(CheckEncoding(output, job.input));
}

absl::Status CheckMapPixels(const OutputOptions& output, const ResultPlan& plan,
                            const MapSizes& sizes, const EngineLimits& limits) {
  if (output.size == OutputSize::kExplicit &&
      output.height > limits.max_output_pixels / output.width) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output.explicit_size ", output.height, " x ", output.width,
        " has more than ", limits.max_output_pixels, " pixels"));
  }
  RETURN_IF_ERROR(CheckSides(output, sizes.input));
  double map_pixels = 0;
  const auto add = [&](int64_t layer_pixels) {
    const int64_t layer = GrownPixels(layer_pixels, sizes.growth);
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

absl::Status CheckAnswerBytes(const Job& job, const ResultPlan& plan,
                              const MapSizes& sizes,
                              const EngineLimits& limits) {
  if (job.output.encoding != MapEncoding::kFloat32) return absl::OkStatus();
  int64_t pixels = 0;
  const auto add = [&](int64_t layer_pixels) {
    pixels += OutputPixels(job.output, sizes.input,
                           GrownPixels(layer_pixels, sizes.growth));
  };
  for (const PlannedResult& result : plan.results) {
    if (result.status.ok()) add(result.layer_pixels);
  }
  for (const PlannedCombination& combination : plan.combinations) {
    if (combination.status.ok()) add(0);
  }
  for (const PlannedResult& layer : plan.layer_results) {
    if (job.layer_maps && layer.status.ok()) add(layer.layer_pixels);
  }
  return CheckAnswerBytes(
      pixels * sizes.rows * static_cast<int64_t>(sizeof(float)), job.output,
      limits);
}

absl::StatusOr<MapSizes> CheckVolume(const Job& job, const ModelMetadata& model,
                                     const ResultPlan& plan,
                                     const InputSize& input, int64_t targets,
                                     const EngineLimits& limits) {
  const int64_t rows = input.images * targets;
  if (rows > limits.max_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("input.tensor x targets: ", input.images, " x ", targets,
                     " rows, of at most ", limits.max_rows));
  }
  // Layers grow with the input that they were measured at.
  const double growth =
      static_cast<double>(input.input_pixels) /
      static_cast<double>(model.config.input.height * model.config.input.width);
  const MapSizes sizes = {.input = input,
                          .growth = growth,
                          .rows = rows * (job.needs_plain() ? 2 : 1)};
  RETURN_IF_ERROR(CheckMapPixels(job.output, plan, sizes, limits));
  MapSizes handed_out = sizes;
  handed_out.rows = rows * (job.meta.has_value() && job.plain_maps ? 2 : 1);
  RETURN_IF_ERROR(CheckAnswerBytes(job, plan, handed_out, limits));
  return sizes;
}

}  // namespace saliency
