#include "core/engine/finish.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <iterator>
#include <utility>

#include "core/base/status.h"
#include "core/engine/class_scores.h"
#include "core/engine/finish_combination.h"
#include "core/engine/finish_row.h"
#include "core/engine/overall_status.h"

namespace saliency {
namespace {

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

FinishRow RowOf(const PreparedJob& prepared, const PassAnswer& answer,
                const FinishOptions& options, std::size_t picture,
                std::size_t target, const ClassScores& scores) {
  const PassItem& item = prepared.item;
  const std::size_t row = picture * item.targets.size() + target;
  const std::size_t maps = item.attributions.size();
  return {.picture = static_cast<int>(picture),
          .target = static_cast<int>(target),
          .explained = scores.Of(answer.class_index[row]),
          .score = answer.score[row],
          .placement = {.picture = prepared.pictures[picture],
                        .input_height = item.input.size(2),
                        .input_width = item.input.size(3)},
          .pixels = prepared.picture,
          .maps = absl::MakeConstSpan(answer.maps).subspan(row * maps, maps),
          .output = options.output};
}

}  // namespace

void AppendRow(const FinishRow& row, const PreparedJob& prepared,
               Explanation& explanation) {
  for (const PlannedResult& plan : prepared.results) {
    explanation.results.push_back(FinishResult(row, plan));
  }
  std::vector<CombinedResult> combined =
      FinishCombinations(row, prepared.combinations, prepared.layer_results);
  std::move(combined.begin(), combined.end(),
            std::back_inserter(explanation.combined));
  if (!prepared.layer_maps) return;
  for (const PlannedResult& plan : prepared.layer_results) {
    explanation.layer_maps.push_back(FinishResult(row, plan));
  }
}

absl::StatusOr<Explanation> FinishJob(const PreparedJob& prepared,
                                      const PassAnswer& answer,
                                      const ModelFacts& model,
                                      const FinishOptions& options) {
  RETURN_IF_ERROR(CheckShape(prepared, answer));
  const at::NoGradGuard no_grad;
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
      AppendRow(RowOf(prepared, answer, options, p, t, scores), prepared,
                explanation);
    }
  }
  RETURN_IF_ERROR(OverallStatus(explanation));
  return explanation;
}

}  // namespace saliency
