// `saliency evaluate weight-sensitivity IMAGE...`: what maps owe to the
// weights, by making these random from the output backwards.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/evaluate/evaluation.h"
#include "client/cli/evaluate/evaluation_plan.h"
#include "client/cli/evaluate/weight_sensitivity_report.h"
#include "client/cli/evaluate/weight_sensitivity_sheet.h"
#include "client/cli/image_answer.h"
#include "client/cli/image_files.h"
#include "client/cli/request_flags.h"
#include "client/cli/request_text.h"
#include "client/cli/step_flags.h"
#include "core/base/atomic_file.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

struct WeightFlags {
  EvaluationFlags evaluation;
  StepFlags step;
  std::vector<std::string> images;
  std::vector<std::string> targets;
  std::vector<std::string> stages;
  uint64_t seed = 0;
  bool meta = false;
  bool sheet = false;
};

class WeightSensitivityEvaluation final : public Evaluation {
 public:
  // `flags` outlives this.
  explicit WeightSensitivityEvaluation(const WeightFlags& flags)
      : Evaluation({.name = "weight-sensitivity",
                    .columns = WeightSensitivityColumns()}),
        flags_(flags) {}

  absl::StatusOr<std::vector<std::string>> Items() override;
  absl::StatusOr<std::string> Plan(const v1::GetModelResponse& model) override;
  absl::StatusOr<JournalRows> Measure(
      const SaliencyClient& client, const std::string& item,
      const std::shared_ptr<CancelToken>& cancel) const override;

  absl::StatusOr<std::string> Report(const JournalRows& rows,
                                     const std::string& title) const override {
    WeightSensitivityMetrics metrics;
    for (const std::vector<std::string>& row : rows) {
      ASSIGN_OR_RETURN(const StageCorrelation measured,
                       ParseWeightSensitivityRow(row));
      metrics.Add(measured);
    }
    RETURN_IF_ERROR(WriteWeightSensitivityReport(metrics, title,
                                                 flags_.evaluation.out_dir));
    return flags_.evaluation.connection.json
               ? WeightSensitivityJson(metrics, title)
               : WeightSensitivityTables(metrics, title);
  }

 private:
  // One for each target; their names begin with `stem`.
  absl::Status WriteSheets(const std::string& stem, CascadeSheet sheet) const;

  const WeightFlags& flags_;
  std::map<std::string, std::string> stems_;     // by path, each another
  v1::MeasureWeightSensitivityRequest request_;  // without the image
};

absl::StatusOr<std::vector<std::string>> WeightSensitivityEvaluation::Items() {
  if (flags_.images.empty()) {
    return absl::InvalidArgumentError("IMAGE is missing");
  }
  RETURN_IF_ERROR(MakeStepIf(flags_.meta, flags_.step).status());
  ASSIGN_OR_RETURN(
      const std::vector<ImageFile> files,
      ListImages(flags_.images, {.recursive = flags_.evaluation.recursive}));
  std::vector<std::string> paths;
  for (const ImageFile& file : files) {
    if (file.path.find_first_of("\r\n") != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("the name \"", Printable(file.path),
                       "\" holds a line break: rename the file"));
    }
    paths.push_back(file.path);
    stems_.emplace(file.path, file.stem);
  }
  return paths;
}

absl::StatusOr<std::string> WeightSensitivityEvaluation::Plan(
    const v1::GetModelResponse& model) {
  ASSIGN_OR_RETURN(const EvaluationPlan plan,
                   PlanFor(flags_.evaluation, model));
  *request_.mutable_model() = model.model();
  request_.set_seed(flags_.seed);
  for (const std::string& text : flags_.targets) {
    ASSIGN_OR_RETURN(*request_.add_targets(), ParseTarget(text));
  }
  for (const std::string& method : plan.methods) {
    *request_.add_attributions() = AttributionFor(plan, method);
  }
  request_.mutable_stages()->Add(flags_.stages.begin(), flags_.stages.end());
  v1::OutputOptions& output = *request_.mutable_output();
  output.set_named_size(v1::NAMED_SIZE_MODEL_INPUT);
  output.set_encoding(flags_.sheet ? v1::MAP_ENCODING_FLOAT32
                                   : v1::MAP_ENCODING_NONE);
  ASSIGN_OR_RETURN(const std::optional<v1::MetaStep> step,
                   MakeStepIf(flags_.meta, flags_.step));
  if (step.has_value()) *request_.mutable_step() = *step;
  return absl::StrCat(
      "seed=", flags_.seed, " targets=", absl::StrJoin(flags_.targets, ","),
      " stages=", absl::StrJoin(flags_.stages, ","), " ", plan.Text(),
      " meta=", step.has_value() ? StepText(*step) : "none");
}

// Errors: of the first map of the model as it is that failed, with its method
//   and layer.  Of a later stage such a map is undefined instead: random
//   weights may well give what is not finite.
absl::StatusOr<JournalRows> RowsOf(
    const std::string& image,
    const v1::MeasureWeightSensitivityResponse& stage) {
  JournalRows rows;
  for (const v1::WeightSensitivity& measured : stage.maps()) {
    const v1::SaliencyMap& map = measured.map();
    if (stage.stage() == 0 && map.status().code() != 0) {
      return absl::Status(static_cast<absl::StatusCode>(map.status().code()),
                          absl::StrCat(CurveName(map.method(), map.layer()),
                                       ": ", map.status().message()));
    }
    StageCorrelation one = {.image = image,
                            .target = map.target(),
                            .method = map.method(),
                            .layer = map.layer(),
                            .stage = stage.stage(),
                            .module = stage.module()};
    if (measured.has_correlation()) one.correlation = measured.correlation();
    if (measured.has_absolute_correlation()) {
      one.absolute_correlation = measured.absolute_correlation();
    }
    rows.push_back(WeightSensitivityRow(one));
  }
  return rows;
}

absl::StatusOr<JournalRows> WeightSensitivityEvaluation::Measure(
    const SaliencyClient& client, const std::string& item,
    const std::shared_ptr<CancelToken>& cancel) const {
  CascadeSheet sheet = {.name = item.substr(item.rfind('/') + 1)};
  ASSIGN_OR_RETURN(sheet.image, ReadImage({.path = item}));
  v1::MeasureWeightSensitivityRequest request = request_;
  request.mutable_input()->set_image(sheet.image);
  JournalRows rows;
  absl::Status failed;  // of a map that nothing can be compared with
  const absl::Status measured = client.MeasureWeightSensitivity(
      request,
      [&](v1::MeasureWeightSensitivityResponse stage) {
        absl::StatusOr<JournalRows> more = RowsOf(item, stage);
        failed = more.status();
        if (!failed.ok()) return false;
        std::move(more->begin(), more->end(), std::back_inserter(rows));
        if (flags_.sheet) sheet.stages.push_back(std::move(stage));
        return true;
      },
      {.cancel = cancel});
  RETURN_IF_ERROR(failed);
  RETURN_IF_ERROR(measured);
  if (flags_.sheet) {
    RETURN_IF_ERROR(WriteSheets(stems_.at(item), std::move(sheet)));
  }
  return rows;
}

absl::Status WeightSensitivityEvaluation::WriteSheets(
    const std::string& stem, CascadeSheet sheet) const {
  const int targets = std::max(request_.targets_size(), 1);
  for (sheet.target = 0; sheet.target < targets; ++sheet.target) {
    ASSIGN_OR_RETURN(const std::string png, CascadeSheetPng(sheet));
    RETURN_IF_ERROR(WriteFileAtomically(
        absl::StrCat(flags_.evaluation.out_dir, "/", stem, "_sheet",
                     targets > 1 ? absl::StrCat("_", sheet.target) : "",
                     ".png"),
        png));
  }
  return absl::OkStatus();
}

void AddFlags(CLI::App& command, WeightFlags& flags) {
  command.add_option("IMAGE", flags.images,
                     "JPEG, PNG, WebP, BMP or TIFF files, or folders of them");
  // Each stage is a pass of its own, and the server takes few calls at a time.
  flags.evaluation.connection.timeout = "10m";
  flags.evaluation.concurrency = 1;
  AddEvaluationFlags(command, flags.evaluation, {.default_joins = ""});
  AddRecursive(command, flags.evaluation.recursive);
  AddRepeatable(command, "-t,--target", flags.targets,
                "class: index, label, label:TEXT, top (predicted, the "
                "default), top:N, bottom, bottom:N; repeatable");
  AddRepeatable(command, "--stage", flags.stages,
                "module that is made random next; repeatable; default: the "
                "model's modules from the output backwards");
  command.add_option("--seed", flags.seed, "of the random weights")
      ->capture_default_str();
  command.add_flag("--sheet", flags.sheet,
                   "a contact sheet of each image too: maps by stage; made "
                   "when the image is measured, so images that the journal "
                   "holds already get none");
  command.add_flag("--meta", flags.meta, "every map after a meta step")
      ->group("Meta step");
  AddStepFlags(command, flags.step);
}

}  // namespace

Command AddWeightSensitivityCommand(CLI::App& evaluate) {
  CLI::App* app = evaluate.add_subcommand(
      "weight-sensitivity",
      "How much maps change when weights are made random");
  const auto flags = std::make_shared<WeightFlags>();
  AddFlags(*app, *flags);
  app->footer(
      "The rank correlation, at the size of the model's input, between each "
      "map "
      "and that of the model as it is, while a copy of it loses its weights "
      "module by module; with and without absolute values. The model that "
      "serves is not changed. A server that is busy with another study is "
      "asked again until --timeout has passed.");
  return {app, [flags](Console& console) {
            WeightSensitivityEvaluation evaluation(*flags);
            return Evaluate(flags->evaluation, evaluation, console);
          }};
}

}  // namespace saliency
