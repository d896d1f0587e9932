#include "core/engine/finish/precomputed_maps.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/engine/finish/finish.h"
#include "core/engine/plan/check_output.h"
#include "core/engine/plan/plan_combinations.h"
#include "core/engine/plan/shown_size.h"
#include "core/image/image.h"
#include "core/image/preprocess.h"

namespace saliency {
namespace {

const PrecomputedMaps& MapsOf(const Job& job) {
  return std::get<PrecomputedMaps>(job.input);
}

absl::Status CheckMap(const std::string& field, const GivenMap& map,
                      const EngineLimits& limits) {
  if (map.layer.empty()) return Invalid(field, ".layer is empty");
  if (map.height < 1 || map.width < 1) {
    return Invalid(field, ".values.shape [", map.height, ",", map.width,
                   "] has a size below 1");
  }
  // A division, since the product of untrusted sizes may overflow.
  if (map.height > limits.max_output_pixels / map.width) {
    return Invalid(field, ".values.shape [", map.height, ",", map.width,
                   "] has more than ", limits.max_output_pixels, " pixels");
  }
  const int64_t bytes =
      map.height * map.width * static_cast<int64_t>(sizeof(float));
  if (static_cast<int64_t>(map.data.size()) == bytes) return absl::OkStatus();
  return Invalid(field, ".values.data has ", map.data.size(), " bytes; shape [",
                 map.height, ",", map.width, "] needs ", bytes);
}

// Returns whether the maps can be told apart by their layers.
bool CheckMaps(const std::vector<GivenMap>& maps, const EngineLimits& limits,
               Violations& found) {
  if (maps.empty() ||
      maps.size() > static_cast<std::size_t>(limits.max_layers)) {
    found.Add(Invalid("maps.maps: ", maps.size(), " not in [1, ",
                      limits.max_layers, "]"));
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const std::string field = absl::StrCat("maps.maps[", i, "]");
    found.Add(CheckMap(field, maps[i], limits));
    if (!seen.insert(maps[i].layer).second) {
      found.Add(Invalid(field, ".layer \"", Printable(maps[i].layer),
                        "\" is there already"));
    }
  }
  return !maps.empty() && seen.size() == maps.size();
}

// What the image will take decoded, by its header; 0 when there is none.
absl::StatusOr<int64_t> ImagePixels(const std::string& bytes,
                                    const DecodeLimits& limits) {
  if (bytes.empty()) return 0;
  if (static_cast<int64_t>(bytes.size()) > limits.max_bytes) {
    return Invalid("maps.image has ", bytes.size(), " bytes, of at most ",
                   limits.max_bytes);
  }
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  if (!header.ok()) return Annotate(header.status(), "maps.image");
  if (header->height < 1 || header->width < 1 ||
      header->height > limits.max_pixels / header->width) {
    return Invalid("maps.image is ", header->height, " x ", header->width,
                   " pixels, of at most ", limits.max_pixels, " in all");
  }
  return header->height * header->width;
}

absl::Status CheckSize(OutputSize size) {
  if (size != OutputSize::kModelInput) return absl::OkStatus();
  return Invalid("output.named_size MODEL_INPUT needs a model");
}

at::Tensor TensorOf(const GivenMap& map) {
  at::Tensor tensor = at::empty({map.height, map.width}, at::kFloat);
  std::memcpy(tensor.data_ptr<float>(), map.data.data(), map.data.size());
  return tensor;
}

absl::StatusOr<std::vector<absl::StatusOr<at::Tensor>>> TensorsOf(
    const std::vector<GivenMap>& maps) {
  std::vector<absl::StatusOr<at::Tensor>> tensors;
  for (const GivenMap& map : maps) {
    at::Tensor tensor = TensorOf(map);
    const auto* values = tensor.data_ptr<float>();
    const auto* end = values + tensor.numel();
    const auto* bad = std::find_if_not(
        values, end, [](float value) { return std::isfinite(value); });
    if (bad != end) {
      return Invalid("maps.maps[", tensors.size(), "].values.data: value ",
                     bad - values, " of ", tensor.numel(), " is not finite");
    }
    tensors.emplace_back(std::move(tensor));
  }
  return tensors;
}

ResultPlan Plan(const Job& job, const EngineLimits& limits, Violations& found) {
  const std::vector<GivenMap>& maps = MapsOf(job).maps;
  std::vector<std::string> names;
  for (const GivenMap& map : maps) names.push_back(map.layer);
  int missing = 0;
  const auto plan_layer = [&](const JobCombination&, const std::string& layer) {
    PlannedResult planned = {.layer = layer};
    const auto at = std::find(names.begin(), names.end(), layer);
    if (at == names.end()) {
      planned.status = absl::NotFoundError(NotFoundMessage(
          "map of layer", layer,
          ++missing <= kFailuresWithNearNames ? names
                                              : std::vector<std::string>()));
      return planned;
    }
    planned.pass_index = static_cast<int>(at - names.begin());
    const GivenMap& map = maps[planned.pass_index];
    planned.layer_pixels = map.height * map.width;
    return planned;
  };
  ResultPlan plan;
  const std::size_t layers = CountCombinedLayers(job, names);
  if (layers > static_cast<std::size_t>(limits.max_layers)) {
    found.Add(Invalid("combinations: ", layers, " layers in all, of at most ",
                      limits.max_layers));
    return plan;
  }
  PlanCombinations(job, {.default_layers = names, .plan_layer = plan_layer},
                   limits, plan, found);
  return plan;
}

// The image's size, or else that of the map with the most pixels, the first
// of several.
ImageGeometry GeometryOf(const PrecomputedMaps& given,
                         const std::optional<Image>& image) {
  int64_t height = 0;
  int64_t width = 0;
  if (image.has_value()) {
    height = image->height;
    width = image->width;
  } else {
    for (const GivenMap& map : given.maps) {
      if (map.height * map.width <= height * width) continue;
      height = map.height;
      width = map.width;
    }
  }
  return {.height = height,
          .width = width,
          .region = {.height = height, .width = width}};
}

// Without a model there is no input but the image.
MapSizes SizesOf(const ImageGeometry& geometry) {
  const int64_t pixels = geometry.height * geometry.width;
  const int64_t side = std::max(geometry.height, geometry.width);
  return {.input = {.image_height = geometry.height,
                    .image_width = geometry.width,
                    .input_pixels = pixels,
                    .input_side = side}};
}

absl::StatusOr<std::optional<Image>> DecodeIfGiven(const std::string& bytes,
                                                   const DecodeLimits& limits) {
  if (bytes.empty()) return std::optional<Image>();
  absl::StatusOr<Image> image = DecodeImage(bytes, limits);
  if (!image.ok()) return Annotate(image.status(), "maps.image");
  return std::optional<Image>(*std::move(image));
}

}  // namespace

bool HoldsGivenMaps(const Job& job) {
  return std::holds_alternative<PrecomputedMaps>(job.input);
}

void CheckGivenMaps(const Job& job, const EngineLimits& limits,
                    Violations& found) {
  const PrecomputedMaps& given = MapsOf(job);
  const bool distinct = CheckMaps(given.maps, limits, found);
  found.Add(ImagePixels(given.image, limits.decode).status());
  CheckOptions(job, found);
  found.Add(CheckSize(job.output.size));
  if (distinct) Plan(job, limits, found);
}

absl::StatusOr<int64_t> MeasureGivenMaps(const Job& job,
                                         const EngineLimits& limits) {
  Violations found;
  CheckGivenMaps(job, limits, found);
  RETURN_IF_ERROR(found.status());
  const PrecomputedMaps& given = MapsOf(job);
  ASSIGN_OR_RETURN(const int64_t pixels,
                   ImagePixels(given.image, limits.decode));
  constexpr int64_t kRgbBytes = 3;
  auto bytes = static_cast<int64_t>(given.image.size()) + pixels * kRgbBytes;
  for (const GivenMap& map : given.maps) {
    bytes += 2 * static_cast<int64_t>(map.data.size());  // and its tensor
  }
  return bytes;
}

absl::StatusOr<JobCost> CostOfGivenMaps(const Job& job,
                                        const EngineLimits& limits) {
  ASSIGN_OR_RETURN(const int64_t bytes, MeasureGivenMaps(job, limits));
  Violations found;
  const ResultPlan plan = Plan(job, limits, found);
  RETURN_IF_ERROR(found.status());
  const PrecomputedMaps& given = MapsOf(job);
  ImageGeometry geometry = GeometryOf(given, std::nullopt);
  if (!given.image.empty()) {
    ASSIGN_OR_RETURN(const ImageHeader header, ReadImageHeader(given.image));
    geometry = {.height = header.height, .width = header.width};
  }
  const MapSizes sizes = SizesOf(geometry);
  RETURN_IF_ERROR(CheckMapPixels(job.output, plan, sizes, limits));
  RETURN_IF_ERROR(CheckAnswerBytes(job, plan, sizes, limits));
  JobCost cost = CostOf(job, plan, sizes);
  RETURN_IF_ERROR(CheckWork(cost, limits));
  cost.input_bytes = bytes;
  // The image is decoded in a piece of the rendering.
  cost.render_scratch_bytes =
      std::max(cost.render_scratch_bytes, cost.decode_scratch_bytes);
  return cost;
}

PrecomputedMapsRendering::PrecomputedMapsRendering(const Job& job,
                                                   const EngineLimits& limits)
    : job_(job), limits_(limits) {
  pieces().Add([this] { return Prepare(); });
}

absl::Status PrecomputedMapsRendering::Prepare() {
  const PrecomputedMaps& given = MapsOf(job_);
  Violations found;
  ResultPlan plan = Plan(job_, limits_, found);
  RETURN_IF_ERROR(found.status());
  ASSIGN_OR_RETURN(image_, DecodeIfGiven(given.image, limits_.decode));
  const ImageGeometry geometry = GeometryOf(given, image_);
  RETURN_IF_ERROR(
      CheckMapPixels(job_.output, plan, SizesOf(geometry), limits_));
  ASSIGN_OR_RETURN(maps_, TensorsOf(given.maps));
  prepared_.combinations = std::move(plan.combinations);
  prepared_.layer_results = std::move(plan.layer_results);
  prepared_.layer_maps = job_.layer_maps;
  const ImageGeometry shown = Within(geometry, MaxSide(job_.output));
  if (IsOverlay(job_.output.encoding)) {
    image_ = ResizeImage(*image_, shown.height, shown.width);
  }
  AddRow(std::make_shared<FinishRow>(
             FinishRow{.placement = {.image = geometry, .shown = shown},
                       .pixels = image_,
                       .variants = {{.maps = maps_}},
                       .output = job_.output}),
         prepared_, pieces(), explanation());
  return absl::OkStatus();
}

absl::StatusOr<Explanation> CombineGivenMaps(const Job& job,
                                             const EngineLimits& limits) {
  PrecomputedMapsRendering rendering(job, limits);
  return RenderAll(rendering);
}

}  // namespace saliency
