#include "core/engine/finish/finish.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/engine/finish/class_scores.h"
#include "core/engine/finish/correlate_rows.h"
#include "core/engine/finish/finish_combination.h"
#include "core/engine/finish/finish_row.h"
#include "core/engine/plan/shown_size.h"

namespace saliency {
namespace {

absl::Status CheckShape(const PreparedJob& prepared, const PassAnswer& answer) {
  const auto rows = static_cast<std::size_t>(prepared.item.rows());
  const auto is_rows = [](const at::Tensor& logits, int64_t count) {
    return logits.dim() == 2 && logits.size(0) == count;
  };
  const bool fits = is_rows(answer.logits, prepared.item.input.size(0)) &&
                    answer.class_index.size() == rows &&
                    answer.variants.size() == prepared.item.variants.size();
  bool fits_variants = fits;
  for (std::size_t v = 0; fits_variants && v < answer.variants.size(); ++v) {
    const Variant& asked = prepared.item.variants[v];
    const VariantAnswer& made = answer.variants[v];
    fits_variants = made.score.size() == rows &&
                    made.maps.size() == rows * asked.attributions.size() &&
                    (!asked.meta.has_value() ||
                     is_rows(made.stepped_logits, prepared.item.rows()));
  }
  const bool fits_pooled =
      answer.pooled.size() ==
      static_cast<std::size_t>(prepared.item.input.size(0)) *
          prepared.item.pooled_layers.size();
  if (fits_variants && fits_pooled) return absl::OkStatus();
  return absl::InternalError("the pass answered in another shape than asked");
}

// Of row `row` of `logits` [.,C].  A scalar output is one value without a
// class.
ClassScores ScoresOf(const at::Tensor& logits, std::size_t row,
                     const ModelMetadata& model, Score score) {
  const at::Tensor values =
      logits.select(0, static_cast<int64_t>(row)).contiguous();
  const auto outputs = absl::MakeConstSpan(
      values.data_ptr<float>(), static_cast<std::size_t>(values.numel()));
  if (score != Score::kScalarOutput) {
    return {outputs, model.meaning.probabilities, model.labels};
  }
  return {outputs.subspan(
              model.meaning.one_output ? model.meaning.output_class : 0, 1),
          Probabilities::kNone,
          model.meaning.one_output ? absl::Span<const std::string>()
                                   : model.labels};
}

// Whether `value`, what is differentiated, is a probability at one of its ends.
bool IsSaturated(float value, Score score, const OutputMeaning& meaning) {
  constexpr float kEnd = 1e-6F;
  const bool is_output =
      score == Score::kLogit || score == Score::kScalarOutput;
  const bool is_log =
      score == Score::kLogSoftmax || score == Score::kLogSigmoid ||
      (is_output && meaning.probabilities == Probabilities::kGivenLogs);
  const bool is_probability =
      score == Score::kSoftmax || score == Score::kSigmoid ||
      (is_output && meaning.probabilities == Probabilities::kGiven);
  if (is_log) return value > -kEnd;
  return is_probability && (value < kEnd || value > 1 - kEnd);
}

// Whether rows are compared with others: the second half of the variants then
// repeats the first, of the model that is compared with.
bool HasTwins(const FinishOptions& options, const PassItem& item) {
  const bool wants_plain =
      options.plain_maps || options.correlate == Correlate::kPlain;
  return options.correlate == Correlate::kStages ||
         (wants_plain && item.variants.front().meta.has_value());
}

struct RowPosition {
  std::size_t image = 0;
  std::size_t target = 0;
};

// What the rows of a job are made from.
struct Ground {
  const PreparedJob& prepared;
  const PassAnswer& answer;
  const ModelMetadata& model;
  const FinishOptions& options;
};

// The part that one row of one variant has in a vector of all its maps, or of
// what is said of them.
template <typename T>
absl::Span<const T> PartOf(const std::vector<T>& all, std::size_t row,
                           const Variant& variant) {
  if (all.empty()) return {};
  const std::size_t count = variant.attributions.size();
  return absl::MakeConstSpan(all).subspan(row * count, count);
}

// How many variants make the maps of a row; twins are as many more.
std::size_t VariantsOfRow(const Ground& ground) {
  const std::size_t all = ground.prepared.item.variants.size();
  return HasTwins(ground.options, ground.prepared.item) ? all / 2 : all;
}

// What a row's results are made of, from variant number `first` on.
std::vector<RowVariant> VariantsOf(const Ground& ground, std::size_t first,
                                   std::size_t row) {
  const std::vector<Variant>& asked = ground.prepared.item.variants;
  const auto of = [&](std::size_t v) {
    const VariantAnswer& made = ground.answer.variants[v];
    return RowVariant{.score = made.score[row],
                      .maps = PartOf(made.maps, row, asked[v]),
                      .warnings = PartOf(made.warnings, row, asked[v])};
  };
  std::vector<RowVariant> variants;
  for (std::size_t v = 0; v < VariantsOfRow(ground); ++v) {
    variants.push_back(of(first + v));
  }
  return variants;
}

// A row of the item's variants from number `variant` on: 0, or that of the
// first twin.  `scores` are the image's, by the model as it is.
FinishRow RowOf(const Ground& ground, const RowPosition& at,
                std::size_t variant, const ClassScores& scores) {
  const PassItem& item = ground.prepared.item;
  const Variant& asked = item.variants[variant];
  const VariantAnswer& made = ground.answer.variants[variant];
  const std::size_t row = at.image * item.targets.size() + at.target;
  const int64_t explained = item.score == Score::kScalarOutput
                                ? 0  // the only one of its scores
                                : ground.answer.class_index[row];
  const bool stepped = asked.meta.has_value();
  return {.image = static_cast<int>(at.image),
          .target = static_cast<int>(at.target),
          .explained = stepped ? ScoresOf(made.stepped_logits, row,
                                          ground.model, item.score)
                                     .Of(explained)
                               : scores.Of(explained),
          .others_text = item.targets[at.target].others_text,
          .score = made.score[row],
          .stepped = stepped,
          .placement = {.image = ground.prepared.images[at.image],
                        .shown = Within(ground.prepared.images[at.image],
                                        MaxSide(ground.options.output)),
                        .input_height = item.input.size(2),
                        .input_width = item.input.size(3)},
          .pixels = ground.prepared.image,
          .variants = VariantsOf(ground, variant, row),
          .saturated =
              item.targets[at.target].others.empty() &&
              IsSaturated(made.score[row], item.score, ground.model.meaning),
          .output = ground.options.output};
}

void AddResult(const std::shared_ptr<const FinishRow>& row,
               const PlannedResult& plan, Pieces& pieces,
               std::vector<MapResult>& results) {
  pieces.Add([row, &plan, &results] {
    results.push_back(FinishResult(*row, plan));
    return absl::OkStatus();
  });
}

void AddResults(const std::shared_ptr<const FinishRow>& row,
                const PreparedJob& prepared, Pieces& pieces,
                std::vector<MapResult>& results,
                std::vector<CombinedResult>& combined) {
  for (const PlannedResult& plan : prepared.results) {
    AddResult(row, plan, pieces, results);
  }
  AddCombinations(row, prepared.combinations, prepared.layer_results, pieces,
                  combined);
}

RowCorrelations CorrelationsOf(Explanation& explanation) {
  return {.results = explanation.correlations,
          .combined = explanation.combined_correlations};
}

// What a row is compared with: the same row of the twins.
void AddCompared(const Ground& ground,
                 const std::shared_ptr<const FinishRow>& row,
                 const std::shared_ptr<const FinishRow>& plain, Pieces& pieces,
                 Explanation& explanation) {
  if (ground.options.plain_maps) {
    AddResults(plain, ground.prepared, pieces, explanation.plain_results,
               explanation.plain_combined);
  }
  const Correlate correlate = ground.options.correlate;
  if (correlate == Correlate::kPlain || correlate == Correlate::kStages) {
    AddCorrelations(row, plain, ground.prepared, pieces,
                    CorrelationsOf(explanation));
  }
  if (correlate == Correlate::kStages) {
    AddAbsoluteCorrelations(row, plain, ground.prepared, pieces,
                            explanation.absolute_correlations);
  }
}

// What an image's pooled layers come to, one after another.
// Errors: FAILED_PRECONDITION naming the layer whose features are not finite.
absl::StatusOr<std::vector<float>> Pooled(const PassItem& item,
                                          const PassAnswer& answer,
                                          std::size_t image) {
  std::vector<float> all;
  const std::size_t layers = item.pooled_layers.size();
  for (std::size_t l = 0; l < layers; ++l) {
    const at::Tensor means = answer.pooled[image * layers + l].contiguous();
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

void AddRow(const std::shared_ptr<const FinishRow>& row,
            const PreparedJob& prepared, Pieces& pieces,
            Explanation& explanation) {
  AddResults(row, prepared, pieces, explanation.results, explanation.combined);
  if (!prepared.layer_maps) return;
  for (const PlannedResult& plan : prepared.layer_results) {
    AddResult(row, plan, pieces, explanation.layer_maps);
  }
}

JobRendering::JobRendering(const PreparedJob& prepared,
                           const PassAnswer& answer,
                           std::shared_ptr<const ModelMetadata> model,
                           const FinishOptions& options)
    : prepared_(prepared),
      answer_(answer),
      model_(std::move(model)),
      options_(options) {
  explanation().model = model_->name;
  explanation().version = model_->version;
  pieces().Add([this]() -> absl::Status {
    RETURN_IF_ERROR(CheckShape(prepared_, answer_));
    for (std::size_t p = 0; p < prepared_.images.size(); ++p) {
      pieces().Add([this, p] { return AddImage(p); });
    }
    return absl::OkStatus();
  });
}

absl::Status JobRendering::AddImage(std::size_t image) {
  const Ground ground = {.prepared = prepared_,
                         .answer = answer_,
                         .model = *model_,
                         .options = options_};
  const ClassScores scores =
      ScoresOf(answer_.logits, image, *model_, prepared_.item.score);
  const ImageGeometry& geometry = prepared_.images[image];
  ImageInfo& info = explanation().images.emplace_back();
  info = {.height = geometry.height,
          .width = geometry.width,
          .top = scores.Top(options_.top_k)};
  ASSIGN_OR_RETURN(info.pooled, Pooled(prepared_.item, answer_, image));
  std::vector<std::shared_ptr<const FinishRow>> rows;  // by target
  for (std::size_t t = 0; t < prepared_.item.targets.size(); ++t) {
    rows.push_back(
        std::make_shared<FinishRow>(RowOf(ground, {image, t}, 0, scores)));
    AddRow(rows.back(), prepared_, pieces(), explanation());
    if (!HasTwins(options_, prepared_.item)) continue;
    AddCompared(ground, rows.back(),
                std::make_shared<FinishRow>(
                    RowOf(ground, {image, t}, VariantsOfRow(ground), scores)),
                pieces(), explanation());
  }
  if (options_.correlate == Correlate::kTargets) {
    AddCorrelations(rows[0], rows[1], prepared_, pieces(),
                    CorrelationsOf(explanation()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Explanation> JobRendering::Take() {
  if (options_.all_may_fail) return std::move(explanation());
  return Rendering::Take();
}

absl::StatusOr<Explanation> FinishJob(const PreparedJob& prepared,
                                      const PassAnswer& answer,
                                      const ModelMetadata& model,
                                      const FinishOptions& options) {
  // The caller's, for as long as this takes.
  const std::shared_ptr<const ModelMetadata> metadata(std::shared_ptr<void>(),
                                                      &model);
  JobRendering rendering(prepared, answer, metadata, options);
  return RenderAll(rendering);
}

}  // namespace saliency
