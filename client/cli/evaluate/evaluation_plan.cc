#include "client/cli/evaluate/evaluation_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/enum_text.h"
#include "client/cli/grid_plan.h"
#include "client/cli/request_text.h"
#include "client/default_limits.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr const char* kPaperMethods[] = {
    "gradient", "gradient_sum", "linear_approximation",
    "grad_cam", "norm_grad",    "selective_norm_grad"};

bool Applies(const std::string& method, const v1::GetModelResponse& model) {
  return std::any_of(
      model.methods().begin(), model.methods().end(),
      [&](const v1::Method& known) { return known.name() == method; });
}

// The name that answers will carry, of a name or an alias as typed.
absl::StatusOr<std::string> NameOfMethod(const std::string& typed,
                                         const v1::GetModelResponse& model) {
  const std::string folded = FoldedName(typed);
  std::vector<std::string> known;
  for (const v1::Method& method : model.methods()) {
    const auto& aliases = method.aliases();
    if (FoldedName(method.name()) == folded ||
        std::find(aliases.begin(), aliases.end(), folded) != aliases.end()) {
      return method.name();
    }
    known.push_back(method.name());
  }
  return absl::InvalidArgumentError(NotFoundMessage("method", typed, known));
}

// Replaces aliases by names.
absl::Status SettleMethods(const v1::GetModelResponse& model,
                           std::vector<std::string>& methods) {
  for (std::string& method : methods) {
    if (IsPair(method)) {
      RETURN_IF_ERROR(ParsePair(method).status());
    } else {
      ASSIGN_OR_RETURN(method, NameOfMethod(method, model));
    }
  }
  return absl::OkStatus();
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

std::string EvaluationPlan::Text() const {
  return absl::StrCat("methods=", absl::StrJoin(methods, ","),
                      " layers=", absl::StrJoin(layers, ","), " combinations=",
                      absl::StrJoin(joins, ",",
                                    [](std::string* out, const JoinKind& join) {
                                      out->append(join.name());
                                    }),
                      smooth > 0 ? absl::StrCat(" smooth=", smooth) : "");
}

absl::StatusOr<EvaluationPlan> CompletePlan(EvaluationPlan plan,
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
  RETURN_IF_ERROR(SettleMethods(model, plan.methods));
  const v1::InputSpec& input = model.config().input();
  plan.input_pixels = int64_t{input.height()} * input.width();
  return plan;
}

std::vector<double> LayerGammas(const std::vector<std::string>& layers,
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
  const bool weighs_something = std::any_of(
      gammas.begin(), gammas.end(), [](double gamma) { return gamma > 0; });
  if (gammas.size() != layers.size() || !weighs_something) gammas.clear();
  return gammas;
}

std::vector<JoinKind> AllJoins(const EvaluationPlan& plan,
                               const v1::GetModelResponse& model) {
  std::vector<JoinKind> joins;
  for (const v1::Weighting weighting :
       {v1::WEIGHTING_UNIFORM, v1::WEIGHTING_LINEAR,
        v1::WEIGHTING_FEATURE_SPREAD, v1::WEIGHTING_CLASSIFICATION_ACCURACY}) {
    if (LayerGammas(plan.layers, weighting, model).empty()) continue;
    for (const v1::CombineRule rule :
         {v1::COMBINE_RULE_SUM, v1::COMBINE_RULE_PRODUCT}) {
      joins.push_back({weighting, rule});
    }
  }
  return joins;
}

v1::Attribution AttributionFor(const EvaluationPlan& plan,
                               const std::string& method) {
  v1::Attribution attribution = *ParseMethod(method);
  attribution.mutable_layers()->Add(plan.layers.begin(), plan.layers.end());
  return attribution;
}

v1::Combination CombinationFor(const EvaluationPlan& plan,
                               const std::string& method,
                               const JoinKind& join) {
  v1::Combination combination;
  *combination.mutable_attribution() = AttributionFor(plan, method);
  combination.set_weighting(join.weighting);
  combination.set_rule(join.rule);
  return combination;
}

std::size_t MethodsAtOnce(const EvaluationPlan& plan, const MethodCost& cost) {
  const auto layers = static_cast<int64_t>(plan.layers.size());
  // A map counts at its own or its layer's size, whichever is larger; no layer
  // is taken to be larger than the input.
  const int64_t map_pixels =
      std::max({cost.image_pixels, plan.input_pixels, int64_t{1}});
  return std::max<int64_t>(1,
                           std::min({kMaxCombinations / cost.times,
                                     kMaxLayers / (cost.times * layers),
                                     kMaxMapPixels / cost.maps / map_pixels}));
}

}  // namespace saliency
