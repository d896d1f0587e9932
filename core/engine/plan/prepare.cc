#include "core/engine/plan/prepare.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/engine/plan/check_output.h"
#include "core/engine/plan/resolve_meta_step.h"
#include "core/engine/plan/resolve_targets.h"
#include "core/engine/plan/shown_size.h"
#include "core/engine/run/segmented_inputs.h"
#include "core/image/preprocess.h"

namespace saliency {
namespace {

// Of a pixel of the model's input.
int64_t InputBytes(const InputConfig& config) {
  return config.channels * static_cast<int64_t>(sizeof(float));
}

KeepImage Keep(const Job& job) {
  return IsOverlay(job.output.encoding) ? KeepImage::kYes : KeepImage::kNo;
}

// The image as an overlay shows it: larger it would only be held.
std::optional<Image> Shown(std::optional<Image> image,
                           const OutputOptions& output) {
  if (!image.has_value()) return image;
  const ImageGeometry shown =
      Within({.height = image->height, .width = image->width}, MaxSide(output));
  if (shown.height == image->height && shown.width == image->width) {
    return image;
  }
  return ResizeImage(*image, shown.height, shown.width);
}

// Of one class there is nothing to compare.
absl::Status CheckClasses(const Job& job, const ModelMetadata& model) {
  if (job.correlate != Correlate::kTargets || model.num_classes >= 2) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("comparing the maps of two classes needs two or more; this "
                   "model has ",
                   model.num_classes));
}

absl::Status CheckSamples(const JobPlan& plan, const InputSize& size,
                          const EngineLimits& limits) {
  const int64_t shorter = size.input_pixels / size.input_side;
  int64_t samples = 0;
  for (const FurtherPass& pass : plan.results.further) {
    if (!pass.sampling.has_value()) continue;
    RETURN_IF_ERROR(
        CheckSamplingFits(*pass.sampling, size.input_side, shorter));
    samples += pass.baseline
                   ? 1
                   : SampleCount(*pass.sampling, size.input_side, shorter);
  }
  const auto targets = static_cast<int64_t>(plan.targets.size());
  const int64_t images = size.images;
  const int64_t rows = images * targets * samples;
  if (rows <= limits.max_sampled_rows) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "attributions: ", images, " images x ", targets, " targets x ", samples,
      " samples are ", rows, " rows, of at most ", limits.max_sampled_rows));
}

// What superpixels take: while they are made, and until the answer.
void AddSegments(const InputSize& size, JobPlan& plan) {
  int64_t scratch = 0;  // one image after another
  for (const FurtherPass& pass : plan.results.further) {
    if (!pass.sampling.has_value() || !HidesSegments(*pass.sampling)) continue;
    plan.cost.input_bytes +=
        size.images * SegmentBytes(*pass.sampling, size.input_pixels);
    scratch = kSegmentScratch * size.input_pixels;
  }
  plan.cost.decode_scratch_bytes += scratch;
}

constexpr const char* kBaselineField = "integrated_gradients.baseline_image";

// The image that the pass's line starts from; null: none is given.
std::shared_ptr<const std::string> GivenBaseline(const FurtherPass& pass) {
  if (!pass.sampling.has_value()) return nullptr;
  const auto* path = std::get_if<IntegratedGradients>(&*pass.sampling);
  return path == nullptr ? nullptr : path->baseline_image;
}

// What given baselines take: to be decoded one after another behind the image,
// and until the answer.
absl::Status AddBaselines(const InputConfig& config, const EngineLimits& limits,
                          JobPlan& plan) {
  for (const FurtherPass& pass : plan.results.further) {
    const auto given = GivenBaseline(pass);
    // Each is in two passes, of its line and of itself.
    if (given == nullptr || !pass.baseline) continue;
    ASSIGN_OR_RETURN(const InputSize size, MeasureImage(*given, kBaselineField,
                                                        config, limits.decode));
    plan.cost.work += static_cast<double>(size.image_pixels());
    plan.cost.decode_scratch_bytes =
        std::max(plan.cost.decode_scratch_bytes, DecodeScratch(size));
    plan.cost.input_bytes +=
        size.encoded_bytes + size.input_pixels * InputBytes(config);
  }
  return absl::OkStatus();
}

// `size` is what MeasureInput says.  Of use when nothing wrong was found.
JobPlan PlanWithSize(const Job& job, const ModelMetadata& model,
                     const EngineLimits& limits,
                     const absl::StatusOr<InputSize>& size, Violations& found) {
  CheckOptions(job, found);
  JobPlan plan;
  plan.targets = ResolveTargets(job, model, limits, found);
  plan.meta = ResolveMetaStep(job, model, found);
  found.Add(CheckClasses(job, model));
  found.Add(size.status());
  plan.results = PlanResults(job, model, limits, found);
  // Sizes mean something when all else is right.
  if (!found.empty()) return plan;
  found.Add(CheckSamples(plan, *size, limits));
  const absl::StatusOr<MapSizes> sizes =
      CheckVolume(job, model, plan.results, *size,
                  static_cast<int64_t>(plan.targets.size()), limits);
  found.Add(sizes.status());
  if (!sizes.ok()) return plan;
  plan.cost = CostOf(job, plan.results, *sizes);
  found.Add(AddBaselines(model.config.input, limits, plan));
  found.Add(CheckWork(plan.cost, limits));
  return plan;
}

// A given baseline as the model's input, [1,C,H,W] as those of `input`.
absl::StatusOr<at::Tensor> PrepareBaseline(const std::string& bytes,
                                           const InputConfig& config,
                                           const EngineLimits& limits,
                                           const at::Tensor& input) {
  ASSIGN_OR_RETURN(const PreparedInput prepared,
                   PrepareImage(bytes, kBaselineField, config, limits.decode,
                                KeepImage::kNo));
  const at::Tensor& baseline = prepared.tensor;
  if (baseline.size(2) == input.size(2) && baseline.size(3) == input.size(3)) {
    return baseline;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      kBaselineField, " becomes a model input of ", baseline.size(2), " x ",
      baseline.size(3), ", and what is explained one of ", input.size(2), " x ",
      input.size(3)));
}

// By the bytes; each is decoded once.
using Baselines = std::map<const std::string*, at::Tensor>;

absl::StatusOr<Baselines> PrepareBaselines(const ResultPlan& plan,
                                           const InputConfig& config,
                                           const EngineLimits& limits,
                                           const at::Tensor& input) {
  Baselines baselines = {{nullptr, at::Tensor()}};
  for (const FurtherPass& pass : plan.further) {
    const auto given = GivenBaseline(pass);
    if (baselines.contains(given.get())) continue;
    ASSIGN_OR_RETURN(baselines[given.get()],
                     PrepareBaseline(*given, config, limits, input));
  }
  return baselines;
}

// Of the images `input` [n,C,H,W].
Variant VariantOf(const FurtherPass& pass, const InputConfig& config,
                  const at::Tensor& input, const Baselines& baselines) {
  const at::Tensor& given = baselines.at(GivenBaseline(pass).get());
  Variant variant;
  if (pass.baseline) {
    variant = Variant::Of(BaselineInputs(
        std::get<IntegratedGradients>(*pass.sampling), config, given));
  } else if (pass.sampling.has_value() && HidesSegments(*pass.sampling)) {
    variant = Variant::Of(SegmentedInputs(*pass.sampling, config, input));
  } else if (pass.sampling.has_value()) {
    variant = Variant::Of(SampledInputsOf(*pass.sampling, config, input.size(2),
                                          input.size(3), given));
  }
  variant.mask_source = pass.mask_source;
  variant.attributions = pass.attributions;
  variant.rule = pass.rule;
  return variant;
}

// The same of the model as it is, behind all of them.
void AddPlainTwins(std::vector<Variant>& variants) {
  const std::size_t count = variants.size();
  for (std::size_t v = 0; v < count; ++v) {
    Variant twin = variants[v];
    twin.meta.reset();
    variants.push_back(std::move(twin));
  }
}

bool HasNoInput(const Job& job) {
  const auto* image = std::get_if<EncodedImage>(&job.input);
  return image != nullptr && image->bytes.empty();
}

}  // namespace

void CheckJob(const Job& job, const ModelMetadata& model,
              const EngineLimits& limits, Violations& found) {
  const absl::StatusOr<InputSize> size =
      HasNoInput(job) ? absl::StatusOr<InputSize>(InputSize())
                      : MeasureInput(job.input, model.config.input, limits);
  PlanWithSize(job, model, limits, size, found);
}

absl::StatusOr<int64_t> MeasureJob(const Job& job, const ModelMetadata& model,
                                   const EngineLimits& limits) {
  ASSIGN_OR_RETURN(const InputSize size,
                   MeasureInput(job.input, model.config.input, limits));
  constexpr int64_t kRgbBytes = 3;
  int64_t bytes = size.encoded_bytes + size.images * size.input_pixels *
                                           InputBytes(model.config.input);
  if (Keep(job) == KeepImage::kYes) {
    const ImageGeometry shown =
        Within({.height = size.image_height, .width = size.image_width},
               MaxSide(job.output));
    bytes += shown.height * shown.width * kRgbBytes;
  }
  return bytes;
}

absl::StatusOr<JobPlan> PlanJob(const Job& job, const ModelMetadata& model,
                                const EngineLimits& limits) {
  Violations found;
  JobPlan plan =
      PlanWithSize(job, model, limits,
                   MeasureInput(job.input, model.config.input, limits), found);
  RETURN_IF_ERROR(found.status());
  ASSIGN_OR_RETURN(const int64_t input_bytes, MeasureJob(job, model, limits));
  plan.cost.input_bytes += input_bytes;
  ASSIGN_OR_RETURN(const InputSize size,
                   MeasureInput(job.input, model.config.input, limits));
  AddSegments(size, plan);
  return plan;
}

absl::StatusOr<PreparedJob> PrepareJob(const Job& job, JobPlan plan,
                                       const ModelMetadata& model,
                                       const EngineLimits& limits) {
  ASSIGN_OR_RETURN(
      PreparedInput input,
      PrepareInput(job.input, model.config.input, limits, Keep(job)));
  ASSIGN_OR_RETURN(
      const Baselines baselines,
      PrepareBaselines(plan.results, model.config.input, limits, input.tensor));
  std::vector<Variant> variants = {
      {.attributions = std::move(plan.results.pass),
       .meta = plan.meta,
       .rule = plan.results.rule}};
  for (const FurtherPass& pass : plan.results.further) {
    variants.push_back(
        VariantOf(pass, model.config.input, input.tensor, baselines));
    variants.back().meta = plan.meta;
  }
  if (job.needs_plain()) AddPlainTwins(variants);
  return PreparedJob{.item = {.input = std::move(input.tensor),
                              .targets = std::move(plan.targets),
                              .score = job.score,
                              .variants = std::move(variants),
                              .pooled_layers = job.pooled_layers,
                              .cancel = job.cancel},
                     .results = std::move(plan.results.results),
                     .combinations = std::move(plan.results.combinations),
                     .layer_results = std::move(plan.results.layer_results),
                     .layer_maps = job.layer_maps,
                     .images = std::move(input.images),
                     .image = Shown(std::move(input.image), job.output)};
}

absl::StatusOr<PreparedJob> PrepareJob(const Job& job,
                                       const ModelMetadata& model,
                                       const EngineLimits& limits) {
  ASSIGN_OR_RETURN(JobPlan plan, PlanJob(job, model, limits));
  return PrepareJob(job, std::move(plan), model, limits);
}

}  // namespace saliency
