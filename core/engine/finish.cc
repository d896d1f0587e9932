#include "core/engine/finish.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status.h"
#include "core/engine/class_scores.h"
#include "core/engine/encode_map.h"
#include "core/engine/finished_map.h"

namespace saliency {
namespace {

// Everything that the results of one job share.
struct Finishing {
  const PreparedJob& prepared;
  const PassAnswer& answer;
  const FinishOptions& options;
};

std::string Title(const MapResult& result) {
  const std::string name = result.explained.label.empty()
                               ? absl::StrCat("class ", result.explained.index)
                               : result.explained.label;
  return absl::StrFormat("%s %.3g %s %s", name, result.score, result.method,
                         result.layer);
}

void Describe(const FinishedMap& map, MapResult& result) {
  result.height = map.values.size(0);
  result.width = map.values.size(1);
  result.raw_min = map.summary.raw_min;
  result.raw_max = map.summary.raw_max;
  result.point_y = map.summary.point_y;
  result.point_x = map.summary.point_x;
  result.constant = map.summary.constant;
  result.region = map.region;
}

absl::Status FinishResult(const Finishing& job, const PlannedResult& plan,
                          const at::Tensor& raw, MapResult& result) {
  const OutputOptions& output = job.options.output;
  const MapPlacement placement = {
      .picture = job.prepared.pictures[result.picture],
      .input_height = job.prepared.item.input.size(2),
      .input_width = job.prepared.item.input.size(3)};
  const FinishedMap map = FinishMap(raw, placement, output);
  if (!map.summary.finite) {
    return absl::FailedPreconditionError(
        absl::StrCat("the map of method \"", plan.method, "\" at layer \"",
                     plan.layer, "\" has values that are not finite"));
  }
  EncodeContext context = {.map = map, .is_signed = plan.is_signed};
  if (job.prepared.picture.has_value()) {
    context.picture = &*job.prepared.picture;
    if (output.overlay_title) context.title = Title(result);
  }
  ASSIGN_OR_RETURN(result.data, EncodeMap(context, output));
  result.encoding = output.encoding;
  Describe(map, result);
  return absl::OkStatus();
}

// A failed result keeps its indices and names alone.
MapResult OneResult(const Finishing& job, const PlannedResult& plan,
                    int picture, int target, const ClassScores& scores) {
  const PassItem& item = job.prepared.item;
  MapResult named = {.status = plan.status,
                     .picture = picture,
                     .target = target,
                     .attribution = plan.attribution,
                     .method = plan.method,
                     .layer = plan.layer};
  if (!named.status.ok()) return named;
  const std::size_t row = picture * item.targets.size() + target;
  const absl::StatusOr<at::Tensor>& raw =
      job.answer.maps[row * item.attributions.size() + plan.pass_index];
  named.status = raw.status();
  if (!named.status.ok()) return named;
  MapResult result = named;
  result.explained = scores.Of(job.answer.class_index[row]);
  result.score = job.answer.score[row];
  named.status = FinishResult(job, plan, *raw, result);
  return named.status.ok() ? result : named;
}

absl::Status CheckShape(const PreparedJob& prepared, const PassAnswer& answer) {
  const auto rows = static_cast<std::size_t>(prepared.item.rows());
  const bool fits =
      answer.logits.dim() == 2 &&
      answer.logits.size(0) == prepared.item.input.size(0) &&
      answer.class_index.size() == rows && answer.score.size() == rows &&
      answer.maps.size() == rows * prepared.item.attributions.size();
  if (fits) return absl::OkStatus();
  return absl::InternalError("the pass answered in another shape than asked");
}

}  // namespace

absl::StatusOr<Explanation> FinishJob(const PreparedJob& prepared,
                                      const PassAnswer& answer,
                                      const ModelFacts& model,
                                      const FinishOptions& options) {
  RETURN_IF_ERROR(CheckShape(prepared, answer));
  const at::NoGradGuard no_grad;
  const Finishing job = {
      .prepared = prepared, .answer = answer, .options = options};
  Explanation explanation = {.model = model.name, .version = model.version};
  const at::Tensor logits = answer.logits.contiguous();
  const int64_t classes = logits.size(1);
  for (std::size_t p = 0; p < prepared.pictures.size(); ++p) {
    const ClassScores scores(
        absl::MakeConstSpan(logits.data_ptr<float>() + p * classes,
                            static_cast<std::size_t>(classes)),
        model.config.activation, model.labels);
    explanation.pictures.push_back({.height = prepared.pictures[p].height,
                                    .width = prepared.pictures[p].width,
                                    .top = scores.Top(options.top_k)});
    for (std::size_t t = 0; t < prepared.item.targets.size(); ++t) {
      for (const PlannedResult& plan : prepared.results) {
        explanation.results.push_back(OneResult(job, plan, static_cast<int>(p),
                                                static_cast<int>(t), scores));
      }
    }
  }
  const bool any_ok =
      std::any_of(explanation.results.begin(), explanation.results.end(),
                  [](const MapResult& result) { return result.status.ok(); });
  if (!any_ok) return explanation.results.front().status;
  return explanation;
}

}  // namespace saliency
