#include "core/engine/prepare.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/engine/check_output.h"
#include "core/engine/resolve_meta_step.h"
#include "core/engine/resolve_targets.h"

namespace saliency {
namespace {

KeepPicture Keep(const Job& job) {
  return job.output.encoding == MapEncoding::kOverlayPng ? KeepPicture::kYes
                                                         : KeepPicture::kNo;
}

// Of one class there is nothing to compare.
absl::Status CheckClasses(const Job& job, const ModelFacts& model) {
  if (job.correlate != Correlate::kTargets || model.num_classes >= 2) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("comparing the maps of two classes needs two or more; this "
                   "model has ",
                   model.num_classes));
}

}  // namespace

absl::StatusOr<int64_t> MeasureJob(const Job& job, const ModelFacts& model,
                                   const EngineLimits& limits) {
  ASSIGN_OR_RETURN(const InputSize size,
                   MeasureInput(job.input, model.config.input, limits));
  constexpr int64_t kRgbBytes = 3;
  constexpr int64_t kInputBytes = 3 * sizeof(float);
  int64_t bytes =
      size.encoded_bytes + size.pictures * size.input_pixels * kInputBytes;
  if (Keep(job) == KeepPicture::kYes) bytes += size.picture_pixels * kRgbBytes;
  return bytes;
}

absl::StatusOr<PreparedJob> PrepareJob(const Job& job, const ModelFacts& model,
                                       const EngineLimits& limits) {
  RETURN_IF_ERROR(CheckOptions(job));
  ASSIGN_OR_RETURN(std::vector<ClassTarget> targets,
                   ResolveTargets(job, model, limits));
  ASSIGN_OR_RETURN(const std::optional<MetaStep> meta,
                   ResolveMetaStep(job, model));
  RETURN_IF_ERROR(CheckClasses(job, model));
  ASSIGN_OR_RETURN(const InputSize size,
                   MeasureInput(job.input, model.config.input, limits));
  ASSIGN_OR_RETURN(ResultPlan plan, PlanResults(job, model, limits));
  RETURN_IF_ERROR(CheckVolume(job, model, plan, size,
                              static_cast<int64_t>(targets.size()), limits));
  ASSIGN_OR_RETURN(
      PreparedInput input,
      PrepareInput(job.input, model.config.input, limits, Keep(job)));
  return PreparedJob{.item = {.input = std::move(input.tensor),
                              .targets = std::move(targets),
                              .score = job.score,
                              .attributions = std::move(plan.pass),
                              .meta = meta,
                              .plain_too = job.needs_plain(),
                              .pooled_layers = job.pooled_layers,
                              .cancel = job.cancel},
                     .results = std::move(plan.results),
                     .combinations = std::move(plan.combinations),
                     .layer_results = std::move(plan.layer_results),
                     .layer_maps = job.layer_maps,
                     .pictures = std::move(input.pictures),
                     .picture = std::move(input.picture)};
}

}  // namespace saliency
