// `saliency evaluate class-sensitivity FOLDER`: how much maps change with the
// class that is asked for, over a data set, with and without a meta step.

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/evaluate/class_sensitivity_report.h"
#include "client/cli/evaluate/class_sensitivity_requests.h"
#include "client/cli/evaluate/evaluation.h"
#include "client/cli/image_files.h"
#include "client/cli/image_set.h"
#include "client/cli/step_flags.h"
#include "core/base/status.h"

namespace saliency {
namespace {

struct SensitivityFlags {
  EvaluationFlags evaluation;
  StepFlags step;
  bool meta = false;
};

class ClassSensitivityEvaluation final : public Evaluation {
 public:
  // `flags` outlives this.
  explicit ClassSensitivityEvaluation(const SensitivityFlags& flags)
      : Evaluation({.name = "class-sensitivity",
                    .columns = ClassSensitivityColumns()}),
        flags_(flags) {}

  absl::StatusOr<std::vector<std::string>> Items() override {
    RETURN_IF_ERROR(MakeStepIf(flags_.meta, flags_.step).status());
    return ImageNames(folder(), flags_.evaluation.set,
                      flags_.evaluation.recursive);
  }

  absl::StatusOr<std::string> Plan(const v1::GetModelResponse& model) override {
    ASSIGN_OR_RETURN(const EvaluationPlan plan,
                     PlanFor(flags_.evaluation, model));
    ASSIGN_OR_RETURN(const std::optional<v1::MetaStep> step,
                     MakeStepIf(flags_.meta, flags_.step));
    requests_ = ClassSensitivityRequests(plan, step);
    for (v1::MeasureClassSensitivityRequest& request : requests_) {
      *request.mutable_model() = model.model();
    }
    return absl::StrCat(
        IsVocFolder(folder()) ? absl::StrCat("set=", flags_.evaluation.set, " ")
                              : "",
        plan.Text(), " meta=", step.has_value() ? StepText(*step) : "none");
  }

  absl::StatusOr<JournalRows> Measure(
      const SaliencyClient& client, const std::string& item,
      const std::shared_ptr<CancelToken>& cancel) const override {
    ASSIGN_OR_RETURN(const std::string path, PathOfImage(folder(), item));
    ASSIGN_OR_RETURN(const std::string image, ReadImage({.path = path}));
    JournalRows rows;
    for (v1::MeasureClassSensitivityRequest request : requests_) {
      request.mutable_input()->set_image(image);
      ASSIGN_OR_RETURN(
          const v1::MeasureClassSensitivityResponse answer,
          client.MeasureClassSensitivity(request, {.cancel = cancel}));
      ASSIGN_OR_RETURN(const std::vector<ClassCorrelation> correlations,
                       ClassCorrelations(item, request, answer));
      for (const ClassCorrelation& measured : correlations) {
        rows.push_back(ClassSensitivityRow(measured));
      }
    }
    return rows;
  }

  absl::StatusOr<std::string> Report(const JournalRows& rows,
                                     const std::string& title) const override {
    ClassSensitivityMetrics metrics;
    for (const std::vector<std::string>& row : rows) {
      ASSIGN_OR_RETURN(const ClassCorrelation measured,
                       ParseClassSensitivityRow(row));
      metrics.Add(measured);
    }
    RETURN_IF_ERROR(
        WriteClassSensitivityReport(metrics, title, flags_.evaluation.out_dir));
    return flags_.evaluation.connection.json
               ? ClassSensitivityJson(metrics, title)
               : ClassSensitivityTables(metrics, title);
  }

 private:
  const std::string& folder() const { return flags_.evaluation.folder; }

  const SensitivityFlags& flags_;
  // Of each image; without it.
  std::vector<v1::MeasureClassSensitivityRequest> requests_;
};

}  // namespace

Command AddClassSensitivityCommand(CLI::App& evaluate) {
  CLI::App* app = evaluate.add_subcommand(
      "class-sensitivity",
      "How much maps change with the class that is asked for");
  const auto flags = std::make_shared<SensitivityFlags>();
  AddEvaluationFlags(
      *app, flags->evaluation,
      {.folder = "folder of images, or one laid out as Pascal VOC's",
       .default_joins = "none",
       .plain_folder = true});
  app->add_flag("--meta", flags->meta, "after a meta step too")
      ->group("Meta step");
  AddStepFlags(*app, flags->step);
  app->footer(
      "The rank correlation between the maps of the most and the least likely "
      "class, both resized to the model's input; nearer 0 is better.");
  return {app, [flags](Console& console) {
            ClassSensitivityEvaluation evaluation(*flags);
            return Evaluate(flags->evaluation, evaluation, console);
          }};
}

}  // namespace saliency
