// `saliency evaluate pointing-game FOLDER`: how often the strongest point of a
// map lies on the object it explains, over a data set.

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/evaluate/evaluation.h"
#include "client/cli/evaluate/pointing_report.h"
#include "client/cli/evaluate/pointing_requests.h"
#include "client/cli/evaluate/voc_folder.h"
#include "client/cli/image_files.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// None where they differ: the model was calibrated anew in between.
std::vector<WeightCurve> WeightsOfShards(
    const std::vector<std::string>& folders) {
  const std::vector<WeightCurve> first = ReadWeightCurves(folders.front());
  for (const std::string& folder : folders) {
    if (ReadWeightCurves(folder) != first) return {};
  }
  return first;
}

class PointingGameEvaluation final : public Evaluation {
 public:
  // `flags` outlives this.
  explicit PointingGameEvaluation(const EvaluationFlags& flags)
      : Evaluation({.name = "pointing-game", .columns = PointingColumns()}),
        flags_(flags) {}

  absl::StatusOr<std::vector<std::string>> Items() override {
    return ReadImageSet(flags_.folder, flags_.set);
  }

  absl::StatusOr<std::string> Plan(const v1::GetModelResponse& model) override {
    ASSIGN_OR_RETURN(plan_, PlanFor(flags_, model));
    if (plan_.joins.empty()) plan_.joins = AllJoins(plan_, model);
    model_ = model.model();
    weights_ = WeightCurves(plan_, model);
    return absl::StrCat("set=", flags_.set, " ", plan_.Text());
  }

  absl::StatusOr<JournalRows> Measure(
      const SaliencyClient& client, const std::string& item,
      const std::shared_ptr<CancelToken>& cancel) const override;

  absl::StatusOr<std::string> Report(const JournalRows& rows,
                                     const std::string& title) const override {
    PointingMetrics metrics;
    for (const std::vector<std::string>& row : rows) {
      ASSIGN_OR_RETURN(const PointingTrial trial, ParsePointingRow(row));
      metrics.Add(trial);
    }
    const PointingReportOptions options = {
        .title = title,
        .weights =
            flags_.merge.empty() ? weights_ : WeightsOfShards(flags_.merge)};
    RETURN_IF_ERROR(WritePointingReport(metrics, options, flags_.out_dir));
    return flags_.connection.json ? PointingJson(metrics, options)
                                  : PointingTables(metrics, options);
  }

 private:
  const EvaluationFlags& flags_;
  EvaluationPlan plan_;
  v1::ModelRef model_;
  std::vector<WeightCurve> weights_;
};

absl::StatusOr<JournalRows> PointingGameEvaluation::Measure(
    const SaliencyClient& client, const std::string& item,
    const std::shared_ptr<CancelToken>& cancel) const {
  ASSIGN_OR_RETURN(const VocAnnotation annotation,
                   ReadAnnotation(flags_.folder, item));
  const auto categories = PlayedCategories(annotation);
  JournalRows rows;
  if (categories.empty()) return rows;  // nothing to point at
  ASSIGN_OR_RETURN(const std::string path, ImagePath(flags_.folder, item));
  ASSIGN_OR_RETURN(const std::string image, ReadImage({.path = path}));
  for (const PointingTrial& trial :
       CentreTrials(item, annotation, categories)) {
    rows.push_back(PointingRow(trial));
  }
  for (v1::CombineLayersRequest& request :
       PointingRequests(plan_, categories, PixelsOf(image))) {
    *request.mutable_model() = model_;
    request.mutable_input()->set_image(image);
    ASSIGN_OR_RETURN(const v1::CombineLayersResponse answer,
                     client.CombineLayers(request, {.cancel = cancel}));
    RETURN_IF_ERROR(CheckAnswer(annotation, request, answer));
    ASSIGN_OR_RETURN(const std::vector<PointingTrial> trials,
                     PointingTrials(item, categories, answer));
    for (const PointingTrial& trial : trials)
      rows.push_back(PointingRow(trial));
  }
  return rows;
}

}  // namespace

Command AddPointingGameCommand(CLI::App& evaluate) {
  CLI::App* app = evaluate.add_subcommand(
      "pointing-game",
      "How often a map's strongest point lies on the object it explains");
  const auto flags = std::make_shared<EvaluationFlags>();
  AddEvaluationFlags(
      *app, *flags,
      {.folder = "folder laid out as Pascal VOC's, such as VOCdevkit/VOC2007",
       .default_joins = "all that the model is calibrated for",
       .smooths = true});
  return {app, [flags](Console& console) {
            PointingGameEvaluation evaluation(*flags);
            return Evaluate(*flags, evaluation, console);
          }};
}

}  // namespace saliency
