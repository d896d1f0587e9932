#include "client/pointing_questions.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/enum_text.h"
#include "client/grid_plan.h"
#include "core/base/near_names.h"
#include "core/base/pointing_game.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// The server's defaults; a server that allows less says so.
constexpr size_t kMaxCombinations = 64;
constexpr size_t kMaxLayers = 512;

constexpr const char* kPaperMethods[] = {
    "gradient", "gradient_sum", "linear_approximation",
    "grad_cam", "norm_grad",    "selective_norm_grad"};

bool Applies(const std::string& method, const v1::GetModelResponse& model) {
  return std::any_of(
      model.methods().begin(), model.methods().end(),
      [&](const v1::Method& known) { return known.name() == method; });
}

absl::Status CheckMethods(const PointingPlan& plan,
                          const v1::GetModelResponse& model) {
  std::vector<std::string> known;
  for (const v1::Method& method : model.methods()) {
    known.push_back(method.name());
  }
  for (const std::string& method : plan.methods) {
    const bool is_pair = method.find('+') != std::string::npos;
    if (!is_pair && !Applies(method, model)) {
      return absl::InvalidArgumentError(
          NotFoundMessage("method", method, known));
    }
  }
  return absl::OkStatus();
}

// gamma of each layer by one weighting; empty where a layer has none.
std::vector<double> Gammas(const std::vector<std::string>& layers,
                           v1::Weighting weighting,
                           const v1::GetModelResponse& model) {
  std::vector<double> gammas;
  for (size_t j = 0; j < layers.size(); ++j) {
    if (weighting == v1::WEIGHTING_UNIFORM) gammas.push_back(1);
    if (weighting == v1::WEIGHTING_LINEAR) {
      gammas.push_back(static_cast<double>(j + 1));
    }
    for (const v1::LayerCalibration& layer : model.layer_weights().layers()) {
      if (layer.layer() != layers[j]) continue;
      if (weighting == v1::WEIGHTING_FEATURE_SPREAD &&
          layer.has_feature_spread()) {
        gammas.push_back(layer.feature_spread());
      }
      if (weighting == v1::WEIGHTING_CLASSIFICATION_ACCURACY &&
          layer.has_classification_accuracy()) {
        gammas.push_back(layer.classification_accuracy());
      }
    }
  }
  if (gammas.size() != layers.size()) gammas.clear();
  return gammas;
}

std::vector<JoinKind> AllJoins(const PointingPlan& plan,
                               const v1::GetModelResponse& model) {
  std::vector<JoinKind> joins;
  for (const v1::Weighting weighting :
       {v1::WEIGHTING_UNIFORM, v1::WEIGHTING_LINEAR,
        v1::WEIGHTING_FEATURE_SPREAD, v1::WEIGHTING_CLASSIFICATION_ACCURACY}) {
    if (Gammas(plan.layers, weighting, model).empty()) continue;
    for (const v1::CombineRule rule :
         {v1::COMBINE_RULE_SUM, v1::COMBINE_RULE_PRODUCT}) {
      joins.push_back({weighting, rule});
    }
  }
  return joins;
}

v1::Combination CombinationFor(const PointingPlan& plan,
                               const std::string& method,
                               const JoinKind& join) {
  v1::Combination combination;
  v1::Attribution& attribution = *combination.mutable_attribution();
  attribution.set_method(method);
  attribution.mutable_layers()->Add(plan.layers.begin(), plan.layers.end());
  combination.set_weighting(join.weighting);
  combination.set_rule(join.rule);
  return combination;
}

v1::CombineLayersRequest EmptyRequest(
    const std::map<std::string, CategoryBoxes>& categories) {
  v1::CombineLayersRequest request;
  for (const auto& [category, boxes] : categories) {
    request.add_targets()->set_label(category);
  }
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_NONE);
  request.set_layer_maps(true);
  return request;
}

// A game that a map decides, but for its place.
absl::StatusOr<PointingGame> GameOf(
    const std::string& picture,
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
  PointingGame game = {.picture = picture,
                       .category = category,
                       .hard = boxes.is_hard,
                       .method = map.method(),
                       .place = place,
                       .y = map.point().y(),
                       .x = map.point().x()};
  game.hit = PointsAt(game.y, game.x, boxes.boxes);
  return game;
}

}  // namespace

std::string JoinKind::name() const {
  return absl::StrCat(EnumText(*v1::Weighting_descriptor(), weighting), "+",
                      EnumText(*v1::CombineRule_descriptor(), rule));
}

absl::StatusOr<JoinKind> ParseJoinKind(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '+');
  if (parts.size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Printable(text),
                     "\" is not WEIGHTING+RULE, such as uniform+product"));
  }
  ASSIGN_OR_RETURN(const int weighting, ParseEnum(*v1::Weighting_descriptor(),
                                                  "weighting", parts[0]));
  ASSIGN_OR_RETURN(const int rule,
                   ParseEnum(*v1::CombineRule_descriptor(), "rule", parts[1]));
  if (weighting == v1::WEIGHTING_EXPLICIT) {
    return absl::InvalidArgumentError(
        "weighting explicit is for single requests: see saliency combine");
  }
  return JoinKind{static_cast<v1::Weighting>(weighting),
                  static_cast<v1::CombineRule>(rule)};
}

std::string PointingPlan::Text() const {
  return absl::StrCat(
      "methods=", absl::StrJoin(methods, ","),
      " layers=", absl::StrJoin(layers, ","), " combinations=",
      absl::StrJoin(joins, ",", [](std::string* out, const JoinKind& join) {
        out->append(join.name());
      }));
}

absl::StatusOr<PointingPlan> CompletePlan(PointingPlan plan,
                                          const v1::GetModelResponse& model) {
  if (plan.methods.empty()) {
    for (const char* method : kPaperMethods) {
      if (Applies(method, model)) plan.methods.emplace_back(method);
    }
  }
  if (plan.layers.empty()) plan.layers = GridLayers(model);
  if (plan.layers.empty()) {
    return absl::InvalidArgumentError("--layer: the model names no layers");
  }
  RETURN_IF_ERROR(CheckMethods(plan, model));
  if (plan.joins.empty()) plan.joins = AllJoins(plan, model);
  return plan;
}

std::vector<WeightCurve> WeightCurves(const PointingPlan& plan,
                                      const v1::GetModelResponse& model) {
  std::vector<WeightCurve> curves;
  for (const JoinKind& join : plan.joins) {
    const std::string name =
        EnumText(*v1::Weighting_descriptor(), join.weighting);
    if (!curves.empty() && curves.back().weighting == name) continue;
    std::vector<double> weights = Gammas(plan.layers, join.weighting, model);
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
    const PointingPlan& plan,
    const std::map<std::string, CategoryBoxes>& categories) {
  const size_t joins = std::max<size_t>(plan.joins.size(), 1);
  const size_t methods_at_once =
      std::max<size_t>(1, std::min(kMaxCombinations / joins,
                                   kMaxLayers / (joins * plan.layers.size())));
  std::vector<v1::CombineLayersRequest> requests;
  for (size_t m = 0; m < plan.methods.size(); ++m) {
    if (m % methods_at_once == 0) requests.push_back(EmptyRequest(categories));
    for (const JoinKind& join : plan.joins) {
      *requests.back().add_combinations() =
          CombinationFor(plan, plan.methods[m], join);
    }
  }
  return requests;
}

absl::StatusOr<std::vector<PointingGame>> PointingGames(
    const std::string& picture,
    const std::map<std::string, CategoryBoxes>& categories,
    const v1::CombineLayersResponse& answer) {
  const std::vector<std::pair<std::string, CategoryBoxes>> in_order(
      categories.begin(), categories.end());
  std::vector<PointingGame> games;
  for (const v1::SaliencyMap& map : answer.layer_maps()) {
    ASSIGN_OR_RETURN(PointingGame game,
                     GameOf(picture, in_order, map, map.layer()));
    games.push_back(std::move(game));
  }
  for (const v1::CombinedMap& combined : answer.combined()) {
    const JoinKind join = {combined.weighting(), combined.rule()};
    ASSIGN_OR_RETURN(PointingGame game,
                     GameOf(picture, in_order, combined.map(), join.name()));
    game.combined = true;
    games.push_back(std::move(game));
  }
  return games;
}

std::vector<PointingGame> CentreGames(
    const std::string& picture, const VocAnnotation& annotation,
    const std::map<std::string, CategoryBoxes>& categories) {
  std::vector<PointingGame> games;
  for (const auto& [category, boxes] : categories) {
    PointingGame game = {.picture = picture,
                         .category = category,
                         .hard = boxes.is_hard,
                         .method = "centre",
                         .y = annotation.height / 2,
                         .x = annotation.width / 2};
    game.hit = PointsAt(game.y, game.x, boxes.boxes);
    games.push_back(std::move(game));
  }
  return games;
}

}  // namespace saliency
