// `saliency evaluate identity-check FOLDER`: whether a virtual identity behind
// a convolution tells the same as the convolution itself, over a data set.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/evaluate/evaluation.h"
#include "client/cli/evaluate/identity_check_report.h"
#include "client/cli/evaluate/identity_check_requests.h"
#include "client/cli/evaluate/pointing_requests.h"
#include "client/cli/image_files.h"
#include "client/cli/image_set.h"
#include "core/base/status.h"

namespace saliency {
namespace {

class IdentityEvaluation final : public Evaluation {
 public:
  // `flags` outlives this.
  explicit IdentityEvaluation(const EvaluationFlags& flags)
      : Evaluation({.name = "identity-check", .columns = IdentityColumns()}),
        flags_(flags) {}

  absl::StatusOr<std::vector<std::string>> Items() override {
    return ImageNames(flags_.folder, flags_.set, flags_.recursive);
  }

  absl::StatusOr<std::string> Plan(const v1::GetModelResponse& model) override {
    ASSIGN_OR_RETURN(layers_, IdentityLayers(flags_.layers, model));
    model_ = model.model();
    const v1::InputSpec& input = model.config().input();
    input_pixels_ = int64_t{input.height()} * input.width();
    return absl::StrCat(
        has_boxes() ? absl::StrCat("set=", flags_.set, " ") : "",
        "layers=", absl::StrJoin(layers_, ","));
  }

  absl::StatusOr<JournalRows> Measure(
      const SaliencyClient& client, const std::string& item,
      const std::shared_ptr<CancelToken>& cancel) const override;

  absl::StatusOr<std::string> Report(const JournalRows& rows,
                                     const std::string& title) const override {
    IdentityMetrics metrics;
    for (const std::vector<std::string>& row : rows) {
      ASSIGN_OR_RETURN(const IdentityMeasurement measured,
                       ParseIdentityRow(row));
      metrics.Add(measured);
    }
    RETURN_IF_ERROR(WriteIdentityReport(metrics, title, flags_.out_dir));
    return flags_.connection.json ? IdentityJson(metrics, title)
                                  : IdentityTables(metrics, title);
  }

 private:
  bool has_boxes() const { return IsVocFolder(flags_.folder); }
  // The answer to each request, about the image.
  absl::StatusOr<std::vector<v1::ComputeSaliencyResponse>> Ask(
      const SaliencyClient& client,
      const std::vector<v1::ComputeSaliencyRequest>& requests,
      const std::string& image,
      const std::shared_ptr<CancelToken>& cancel) const;

  const EvaluationFlags& flags_;
  std::vector<std::string> layers_;
  v1::ModelRef model_;
  int64_t input_pixels_ = 0;  // of the model
};

absl::StatusOr<std::vector<v1::ComputeSaliencyResponse>>
IdentityEvaluation::Ask(const SaliencyClient& client,
                        const std::vector<v1::ComputeSaliencyRequest>& requests,
                        const std::string& image,
                        const std::shared_ptr<CancelToken>& cancel) const {
  std::vector<v1::ComputeSaliencyResponse> answers;
  for (v1::ComputeSaliencyRequest request : requests) {
    *request.mutable_model() = model_;
    request.mutable_input()->set_image(image);
    ASSIGN_OR_RETURN(v1::ComputeSaliencyResponse answer,
                     client.ComputeSaliency(request, {.cancel = cancel}));
    answers.push_back(std::move(answer));
  }
  return answers;
}

absl::StatusOr<JournalRows> IdentityEvaluation::Measure(
    const SaliencyClient& client, const std::string& item,
    const std::shared_ptr<CancelToken>& cancel) const {
  std::map<std::string, CategoryBoxes> categories;
  JournalRows rows;
  if (has_boxes()) {
    ASSIGN_OR_RETURN(const VocAnnotation annotation,
                     ReadAnnotation(flags_.folder, item));
    categories = PlayedCategories(annotation);
    if (categories.empty()) return rows;  // nothing to explain
  }
  ASSIGN_OR_RETURN(const std::string path, PathOfImage(flags_.folder, item));
  ASSIGN_OR_RETURN(const std::string image, ReadImage({.path = path}));
  const int64_t map_pixels = std::max(PixelsOf(image), input_pixels_);
  const auto requests =
      IdentityRequests(layers_, categories, map_pixels, IdentityRequest::kMaps);
  ASSIGN_OR_RETURN(const auto maps, Ask(client, requests, image, cancel));
  std::vector<v1::ComputeSaliencyResponse> points;
  if (has_boxes()) {
    ASSIGN_OR_RETURN(points,
                     Ask(client,
                         IdentityRequests(layers_, categories, map_pixels,
                                          IdentityRequest::kPoints),
                         image, cancel));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    ASSIGN_OR_RETURN(
        const std::vector<IdentityMeasurement> measurements,
        IdentityMeasurements(item, categories, requests[i], maps[i],
                             points.empty() ? nullptr : &points[i]));
    for (const IdentityMeasurement& measured : measurements) {
      rows.push_back(IdentityRow(measured));
    }
  }
  return rows;
}

}  // namespace

Command AddIdentityCheckCommand(CLI::App& evaluate) {
  CLI::App* app = evaluate.add_subcommand(
      "identity-check",
      "Whether a virtual identity tells the same as a real convolution");
  const auto flags = std::make_shared<EvaluationFlags>();
  AddEvaluationFlags(
      *app, *flags,
      {.folder = "folder of images, or one laid out as Pascal VOC's",
       .default_layers = "every convolution of the model",
       .asks_methods = false,
       .plain_folder = true});
  app->footer(
      "The rank correlation between the maps of norm_grad at a convolution's "
      "output and of norm_grad_real_conv of that convolution, for the "
      "predicted "
      "class or, in a VOC folder, for each category; there also the difference "
      "of their accuracies in the pointing game.");
  return {app, [flags](Console& console) {
            IdentityEvaluation evaluation(*flags);
            return Evaluate(*flags, evaluation, console);
          }};
}

}  // namespace saliency
