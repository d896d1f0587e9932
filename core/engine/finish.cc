#include "core/engine/finish.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/engine/class_scores.h"
#include "core/engine/correlate_rows.h"
#include "core/engine/finish_combination.h"
#include "core/engine/finish_row.h"
#include "core/engine/overall_status.h"

namespace saliency {
namespace {

absl::Status CheckShape(const PreparedJob& prepared, const PassAnswer& answer) {
  const auto rows = static_cast<std::size_t>(prepared.item.rows());
  const std::size_t maps = rows * prepared.item.attributions.size();
  const auto is_rows = [](const at::Tensor& logits, int64_t count) {
    return logits.dim() == 2 && logits.size(0) == count;
  };
  const bool fits = is_rows(answer.logits, prepared.item.input.size(0)) &&
                    answer.class_index.size() == rows &&
                    answer.score.size() == rows && answer.maps.size() == maps;
  const bool fits_stepped =
      !prepared.item.meta.has_value() ||
      is_rows(answer.stepped_logits, prepared.item.rows());
  const bool fits_plain =
      !prepared.item.plain_too ||
      (answer.plain_score.size() == rows && answer.plain_maps.size() == maps);
  const bool fits_pooled =
      answer.pooled.size() ==
      static_cast<std::size_t>(prepared.item.input.size(0)) *
          prepared.item.pooled_layers.size();
  if (fits && fits_stepped && fits_plain && fits_pooled) {
    return absl::OkStatus();
  }
  return absl::InternalError("the pass answered in another shape than asked");
}

// Of row `row` of `logits` [.,C].
ClassScores ScoresOf(const at::Tensor& logits, std::size_t row,
                     const ModelFacts& model) {
  const at::Tensor values =
      logits.select(0, static_cast<int64_t>(row)).contiguous();
  return {absl::MakeConstSpan(values.data_ptr<float>(),
                              static_cast<std::size_t>(values.numel())),
          model.config.activation, model.labels};
}

// What the rows of a job are made from.
struct Ground {
  const PreparedJob& prepared;
  const PassAnswer& answer;
  const ModelFacts& model;
  const FinishOptions& options;
};

absl::Span<const absl::StatusOr<at::Tensor>> MapsOf(
    const std::vector<absl::StatusOr<at::Tensor>>& maps, std::size_t row,
    const PassItem& item) {
  const std::size_t count = item.attributions.size();
  return absl::MakeConstSpan(maps).subspan(row * count, count);
}

absl::Span<const std::string> WarningsOf(
    const std::vector<std::string>& warnings, std::size_t row,
    const PassItem& item) {
  if (warnings.empty()) return {};
  const std::size_t count = item.attributions.size();
  return absl::MakeConstSpan(warnings).subspan(row * count, count);
}

// `scores` are the picture's, by the model as it is.
FinishRow RowOf(const Ground& ground, std::size_t picture, std::size_t target,
                const ClassScores& scores) {
  const PassItem& item = ground.prepared.item;
  const PassAnswer& answer = ground.answer;
  const std::size_t row = picture * item.targets.size() + target;
  const int64_t explained = answer.class_index[row];
  return {
      .picture = static_cast<int>(picture),
      .target = static_cast<int>(target),
      .explained =
          item.meta.has_value()
              ? ScoresOf(answer.stepped_logits, row, ground.model).Of(explained)
              : scores.Of(explained),
      .score = answer.score[row],
      .stepped = item.meta.has_value(),
      .placement = {.picture = ground.prepared.pictures[picture],
                    .input_height = item.input.size(2),
                    .input_width = item.input.size(3)},
      .pixels = ground.prepared.picture,
      .maps = MapsOf(answer.maps, row, item),
      .warnings = WarningsOf(answer.warnings, row, item),
      .output = ground.options.output};
}

// The same row of the model as it is.
FinishRow WithoutStep(const Ground& ground, const FinishRow& stepped,
                      const ClassScores& scores) {
  const PassItem& item = ground.prepared.item;
  const std::size_t row =
      stepped.picture * item.targets.size() + stepped.target;
  FinishRow plain = stepped;
  plain.explained = scores.Of(stepped.explained.index);
  plain.score = ground.answer.plain_score[row];
  plain.stepped = false;
  plain.maps = MapsOf(ground.answer.plain_maps, row, item);
  plain.warnings = WarningsOf(ground.answer.plain_warnings, row, item);
  return plain;
}

template <typename T>
void MoveTo(std::vector<T>&& from, std::vector<T>& to) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

void AppendCorrelations(RowCorrelations&& from, Explanation& explanation) {
  MoveTo(std::move(from.results), explanation.correlations);
  MoveTo(std::move(from.combined), explanation.combined_correlations);
}

void AppendPlain(const Ground& ground, const FinishRow& stepped,
                 const FinishRow& plain, Explanation& explanation) {
  if (ground.options.plain_maps) {
    Explanation maps;
    AppendRow(plain, ground.prepared, maps);
    MoveTo(std::move(maps.results), explanation.plain_results);
    MoveTo(std::move(maps.combined), explanation.plain_combined);
  }
  const Correlate correlate = ground.options.correlate;
  if (correlate == Correlate::kPlain || correlate == Correlate::kStages) {
    AppendCorrelations(CorrelateRows(stepped, plain, ground.prepared),
                       explanation);
  }
  if (correlate == Correlate::kStages) {
    MoveTo(CorrelateAbsolutes(stepped, plain, ground.prepared),
           explanation.absolute_correlations);
  }
}

void AppendPicture(const Ground& ground, std::size_t picture,
                   Explanation& explanation) {
  const ClassScores scores =
      ScoresOf(ground.answer.logits, picture, ground.model);
  const PictureGeometry& geometry = ground.prepared.pictures[picture];
  explanation.pictures.push_back({.height = geometry.height,
                                  .width = geometry.width,
                                  .top = scores.Top(ground.options.top_k)});
  std::vector<FinishRow> rows;  // by target
  for (std::size_t t = 0; t < ground.prepared.item.targets.size(); ++t) {
    rows.push_back(RowOf(ground, picture, t, scores));
    AppendRow(rows.back(), ground.prepared, explanation);
    if (!ground.prepared.item.plain_too) continue;
    AppendPlain(ground, rows.back(), WithoutStep(ground, rows.back(), scores),
                explanation);
  }
  if (ground.options.correlate == Correlate::kTargets) {
    AppendCorrelations(CorrelateRows(rows[0], rows[1], ground.prepared),
                       explanation);
  }
}

// What a picture's pooled layers come to, one after another.
// Errors: FAILED_PRECONDITION naming the layer whose features are not finite.
absl::StatusOr<std::vector<float>> Pooled(const PassItem& item,
                                          const PassAnswer& answer,
                                          std::size_t picture) {
  std::vector<float> all;
  const std::size_t layers = item.pooled_layers.size();
  for (std::size_t l = 0; l < layers; ++l) {
    const at::Tensor means = answer.pooled[picture * layers + l].contiguous();
    if (!means.isfinite().all().item<bool>()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the features of layer \"", item.pooled_layers[l],
                       "\" are not finite"));
    }
    const float* data = means.data_ptr<float>();
    all.insert(all.end(), data, data + means.numel());
  }
  return all;
}

}  // namespace

void AppendRow(const FinishRow& row, const PreparedJob& prepared,
               Explanation& explanation) {
  for (const PlannedResult& plan : prepared.results) {
    explanation.results.push_back(FinishResult(row, plan));
  }
  MoveTo(FinishCombinations(row, prepared.combinations, prepared.layer_results),
         explanation.combined);
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
  const Ground ground = {.prepared = prepared,
                         .answer = answer,
                         .model = model,
                         .options = options};
  Explanation explanation = {.model = model.name, .version = model.version};
  for (std::size_t p = 0; p < prepared.pictures.size(); ++p) {
    AppendPicture(ground, p, explanation);
    ASSIGN_OR_RETURN(explanation.pictures.back().pooled,
                     Pooled(prepared.item, answer, p));
  }
  if (!options.all_may_fail) RETURN_IF_ERROR(OverallStatus(explanation));
  return explanation;
}

}  // namespace saliency
