#include "client/cli/evaluate/pointing_requests.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/enum_text.h"
#include "core/base/pointing_game.h"
#include "core/base/status.h"

namespace saliency {
namespace {

v1::CombineLayersRequest EmptyRequest(
    const EvaluationPlan& plan,
    const std::map<std::string, CategoryBoxes>& categories) {
  v1::CombineLayersRequest request;
  for (const auto& [category, boxes] : categories) {
    request.add_targets()->set_label(category);
  }
  // The trial is played on the image as it is.
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_IMAGE);
  request.mutable_output()->set_smooth_sigma(static_cast<float>(plan.smooth));
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_NONE);
  request.set_layer_maps(true);
  return request;
}

// A trial that a map decides, but for its place.
absl::StatusOr<PointingTrial> TrialOf(
    const std::string& image,
    const std::vector<std::pair<std::string, CategoryBoxes>>& categories,
    const v1::SaliencyMap& map, const std::string& place) {
  if (map.status().code() != 0) {
    return absl::Status(
        static_cast<absl::StatusCode>(map.status().code()),
        absl::StrCat(map.method(), " @ ", place, ": ", map.status().message()));
  }
  if (map.target() < 0 || map.target() >= static_cast<int>(categories.size())) {
    return absl::InternalError(
        "the answer has a target that was not asked for");
  }
  const auto& [category, boxes] = categories[map.target()];
  PointingTrial trial = {.image = image,
                         .category = category,
                         .difficult = boxes.is_difficult,
                         .method = map.method(),
                         .place = place,
                         .y = map.point().y(),
                         .x = map.point().x()};
  trial.hit = PointsAt(trial.y, trial.x, boxes.boxes);
  return trial;
}

// Methods repeat, once for each join; their layers' maps do not.
absl::Status CheckCounts(const v1::CombineLayersRequest& request,
                         const v1::CombineLayersResponse& answer) {
  std::map<std::string, int> layers;
  for (const v1::Combination& combination : request.combinations()) {
    const v1::Attribution& attribution = combination.attribution();
    layers[attribution.SerializeAsString()] = attribution.layers_size();
  }
  int layer_maps = 0;
  for (const auto& [attribution, count] : layers) layer_maps += count;
  layer_maps *= request.targets_size();
  const int combined = request.targets_size() * request.combinations_size();
  if (answer.layer_maps_size() == layer_maps &&
      answer.combined_size() == combined) {
    return absl::OkStatus();
  }
  return absl::InternalError(
      absl::StrCat("the answer has ", answer.layer_maps_size(),
                   " maps of layers and ", answer.combined_size(),
                   " of combinations, not ", layer_maps, " and ", combined));
}

absl::Status CheckSize(const VocAnnotation& annotation,
                       const v1::SaliencyMap& map) {
  if (map.status().code() != 0 ||
      (map.height() == annotation.height && map.width() == annotation.width)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the image has ", map.height(), " rows and ", map.width(),
                   " columns; its annotation says ", annotation.height, " and ",
                   annotation.width));
}

}  // namespace

std::vector<WeightCurve> WeightCurves(const EvaluationPlan& plan,
                                      const v1::GetModelResponse& model) {
  std::vector<WeightCurve> curves;
  for (const JoinKind& join : plan.joins) {
    const std::string name =
        EnumText(*v1::Weighting_descriptor(), join.weighting);
    const bool known = std::any_of(
        curves.begin(), curves.end(),
        [&](const WeightCurve& curve) { return curve.weighting == name; });
    if (known) continue;
    std::vector<double> weights =
        LayerGammas(plan.layers, join.weighting, model);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (sum <= 0) continue;
    for (double& weight : weights) weight /= sum;
    curves.push_back({.weighting = name, .weights = std::move(weights)});
  }
  return curves;
}

std::map<std::string, CategoryBoxes> PlayedCategories(
    const VocAnnotation& annotation) {
  std::map<std::string, CategoryBoxes> categories = GroupByCategory(annotation);
  std::erase_if(categories,
                [](const auto& entry) { return entry.second.all_difficult; });
  return categories;
}

std::vector<v1::CombineLayersRequest> PointingRequests(
    const EvaluationPlan& plan,
    const std::map<std::string, CategoryBoxes>& categories,
    int64_t image_pixels) {
  const size_t targets = std::max<size_t>(categories.size(), 1);
  const size_t maps = plan.layers.size() + plan.joins.size();
  const size_t methods_at_once = MethodsAtOnce(
      plan,
      {.times = static_cast<int64_t>(std::max<size_t>(plan.joins.size(), 1)),
       .maps = static_cast<int64_t>(targets * maps),
       .image_pixels = image_pixels});
  std::vector<v1::CombineLayersRequest> requests;
  for (size_t m = 0; m < plan.methods.size(); ++m) {
    if (m % methods_at_once == 0)
      requests.push_back(EmptyRequest(plan, categories));
    for (const JoinKind& join : plan.joins) {
      *requests.back().add_combinations() =
          CombinationFor(plan, plan.methods[m], join);
    }
  }
  return requests;
}

absl::StatusOr<std::vector<PointingTrial>> PointingTrials(
    const std::string& image,
    const std::map<std::string, CategoryBoxes>& categories,
    const v1::CombineLayersResponse& answer) {
  const std::vector<std::pair<std::string, CategoryBoxes>> in_order(
      categories.begin(), categories.end());
  std::vector<PointingTrial> trials;
  for (const v1::SaliencyMap& map : answer.layer_maps()) {
    ASSIGN_OR_RETURN(PointingTrial trial,
                     TrialOf(image, in_order, map, map.layer()));
    trials.push_back(std::move(trial));
  }
  for (const v1::CombinedMap& combined : answer.combined()) {
    const JoinKind join = {combined.weighting(), combined.rule()};
    ASSIGN_OR_RETURN(PointingTrial trial,
                     TrialOf(image, in_order, combined.map(), join.name()));
    trial.combined = true;
    trials.push_back(std::move(trial));
  }
  return trials;
}

absl::Status CheckAnswer(const VocAnnotation& annotation,
                         const v1::CombineLayersRequest& request,
                         const v1::CombineLayersResponse& answer) {
  RETURN_IF_ERROR(CheckCounts(request, answer));
  for (const v1::SaliencyMap& map : answer.layer_maps()) {
    RETURN_IF_ERROR(CheckSize(annotation, map));
  }
  for (const v1::CombinedMap& combined : answer.combined()) {
    RETURN_IF_ERROR(CheckSize(annotation, combined.map()));
  }
  return absl::OkStatus();
}

std::vector<PointingTrial> CentreTrials(
    const std::string& image, const VocAnnotation& annotation,
    const std::map<std::string, CategoryBoxes>& categories) {
  std::vector<PointingTrial> trials;
  for (const auto& [category, boxes] : categories) {
    PointingTrial trial = {.image = image,
                           .category = category,
                           .difficult = boxes.is_difficult,
                           .method = "centre",
                           .y = annotation.height / 2,
                           .x = annotation.width / 2};
    trial.hit = PointsAt(trial.y, trial.x, boxes.boxes);
    trials.push_back(std::move(trial));
  }
  return trials;
}

}  // namespace saliency
