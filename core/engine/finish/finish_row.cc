#include "core/engine/finish/finish_row.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/attribution/postprocess.h"
#include "core/base/status.h"
#include "core/engine/finish/encode_map.h"

namespace saliency {
namespace {

// Of a variant's map; empty where there is none, or no such map.
std::string WarningAt(const FinishRow& row, int variant, int pass_index) {
  if (pass_index < 0) return "";
  const absl::Span<const std::string> warnings = row.variants[variant].warnings;
  return warnings.empty() ? "" : warnings[pass_index];
}

absl::Status Finish(const FinishRow& row, const PlannedResult& plan,
                    const at::Tensor& raw, MapResult& result) {
  const FinishedMap map = FinishMap(raw, row.placement, row.output);
  if (!map.summary.finite) return NotFinite(plan);
  const RawRange range = RangeOf(map.summary, plan.is_signed);
  EncodeContext context = {
      .map = map,
      .scale = row.output.normalise ? NormalisedScale(range) : RawScale(range)};
  if (row.pixels.has_value()) {
    context.image = &*row.pixels;
    context.title = absl::StrCat(RowTitle(row, result), result.layer);
  }
  ASSIGN_OR_RETURN(result.data, EncodeMap(context, row.output));
  result.encoding = row.output.encoding;
  Describe(map, result);
  result.is_signed = range.is_signed;
  if (result.constant && row.saturated && result.warning.empty()) {
    result.warning =
        "what is differentiated is a probability of 0 or 1 up to rounding: its "
        "gradient vanishes; that of a logit does not";
  }
  return absl::OkStatus();
}

}  // namespace

std::string WarningOf(const FinishRow& row, const PlannedResult& plan) {
  const std::string own = WarningAt(row, plan.variant, plan.pass_index);
  return own.empty()
             ? WarningAt(row, plan.factor_variant, plan.factor_pass_index)
             : own;
}

absl::StatusOr<at::Tensor> RawMap(const FinishRow& row,
                                  const PlannedResult& plan) {
  RETURN_IF_ERROR(plan.status);
  const absl::StatusOr<at::Tensor>& map =
      row.variants[plan.variant].maps[plan.pass_index];
  if (plan.factor_variant < 0 || !map.ok()) return map;
  ASSIGN_OR_RETURN(
      const at::Tensor factor,
      row.variants[plan.factor_variant].maps[plan.factor_pass_index]);
  const at::Tensor resized =
      ResizeMaps(map->unsqueeze(0), factor.size(0), factor.size(1));
  return resized.squeeze(0) * factor;
}

absl::StatusOr<at::Tensor> SizedMap(const FinishRow& row,
                                    const PlannedResult& plan) {
  ASSIGN_OR_RETURN(const at::Tensor raw, RawMap(row, plan));
  return SizeMap(raw, row.placement, row.output);
}

absl::Status NotFinite(const PlannedResult& plan) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the map ",
      plan.method.empty() ? ""
                          : absl::StrCat("of method \"", plan.method, "\" "),
      "at layer \"", plan.layer, "\" has values that are not finite"));
}

void Describe(const FinishedMap& map, MapResult& result) {
  result.height = map.values.size(0);
  result.width = map.values.size(1);
  result.raw_min = map.summary.raw_min;
  result.raw_max = map.summary.raw_max;
  result.point_y = map.summary.point_y;
  result.point_x = map.summary.point_x;
  result.image_y = map.image_y;
  result.image_x = map.image_x;
  result.constant = map.summary.constant;
  result.region = map.region;
}

MapResult FinishResult(const FinishRow& row, const PlannedResult& plan) {
  MapResult named = {.image = row.image,
                     .target = row.target,
                     .attribution = plan.attribution,
                     .method = plan.method,
                     .layer = plan.layer};
  const absl::StatusOr<at::Tensor> raw = RawMap(row, plan);
  named.status = raw.status();
  if (!named.status.ok()) return named;
  MapResult result = named;
  result.explained = row.explained;
  result.others_text = row.others_text;
  result.score = row.score;
  result.warning = WarningOf(row, plan);
  if (plan.baseline_variant >= 0) {
    const double change = row.score - row.variants[plan.baseline_variant].score;
    result.completeness_gap = raw->sum(at::kDouble).item<double>() - change;
  }
  named.status = Finish(row, plan, *raw, result);
  return named.status.ok() ? result : named;
}

std::string RowTitle(const FinishRow& row, const MapResult& result) {
  if (result.method.empty()) return "";
  const std::string name =
      !result.explained.label.empty() ? result.explained.label
      : result.explained.probability.has_value()
          ? absl::StrCat("class ", result.explained.index)
          : absl::StrCat("output ", result.explained.index);
  const std::string score = result.others_text.empty()
                                ? name
                                : absl::StrCat(name, " ", result.others_text);
  return absl::StrFormat("%s %.3g %s%s ", score, result.score,
                         row.stepped ? "meta " : "", result.method);
}

}  // namespace saliency
