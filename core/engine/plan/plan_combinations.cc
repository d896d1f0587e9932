#include "core/engine/plan/plan_combinations.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

std::string ConstantName(Weighting weighting) {
  return absl::AsciiStrToUpper(WeightingName(weighting));
}

std::vector<std::string> LayersOf(const JobCombination& combination,
                                  absl::Span<const std::string> defaults) {
  if (!combination.layers.empty()) return combination.layers;
  std::vector<std::string> layers;
  for (const LayerWeight& weight : combination.weights) {
    layers.push_back(weight.layer);
  }
  if (layers.empty()) layers.assign(defaults.begin(), defaults.end());
  return layers;
}

// `field` is "combinations[1]" here and below.
absl::Status CheckLayers(const std::string& field,
                         const std::vector<std::string>& layers) {
  if (layers.empty()) {
    return Invalid(field, ".attribution.layers is empty and the model has no ",
                   "combine_layers");
  }
  std::set<std::string> seen;
  for (const std::string& layer : layers) {
    if (seen.insert(layer).second) continue;
    return Invalid(field, " names layer \"", Printable(layer), "\" twice");
  }
  return absl::OkStatus();
}

// The explicit weights in the order of `layers`.
absl::StatusOr<std::vector<double>> ExplicitGamma(
    const std::string& field, const JobCombination& combination,
    const std::vector<std::string>& layers) {
  std::map<std::string, double> by_layer;
  for (std::size_t i = 0; i < combination.weights.size(); ++i) {
    const LayerWeight& weight = combination.weights[i];
    const std::string name = absl::StrCat(field, ".weights[", i, "]");
    if (!(weight.weight >= 0 && std::isfinite(weight.weight))) {
      return Invalid(name, ".weight ", weight.weight,
                     " is not a finite number >= 0");
    }
    if (std::find(layers.begin(), layers.end(), weight.layer) == layers.end()) {
      return Invalid(name, ".layer \"", Printable(weight.layer),
                     "\" is none of the combination's layers");
    }
    if (!by_layer.emplace(weight.layer, weight.weight).second) {
      return Invalid(name, ".layer \"", Printable(weight.layer),
                     "\" has a weight already");
    }
  }
  std::vector<double> gamma;
  for (const std::string& layer : layers) {
    const auto found = by_layer.find(layer);
    if (found == by_layer.end()) {
      return Invalid(field, ".weights has none for layer \"", Printable(layer),
                     "\"; EXPLICIT weighting needs one for each layer");
    }
    gamma.push_back(found->second);
  }
  return gamma;
}

// None: this weighting needs no numbers, or its are measured.
// Errors: the caller's numbers are wrong.
absl::StatusOr<std::vector<double>> GivenGamma(
    const std::string& field, const JobCombination& combination,
    const std::vector<std::string>& layers) {
  if (combination.weighting == Weighting::kExplicit) {
    ASSIGN_OR_RETURN(std::vector<double> gamma,
                     ExplicitGamma(field, combination, layers));
    const bool all_zero = std::all_of(gamma.begin(), gamma.end(),
                                      [](double g) { return g == 0; });
    if (all_zero) return Invalid(field, ".weights: all are 0");
    return gamma;
  }
  if (combination.weights.empty()) return std::vector<double>();
  return Invalid(field, ".weights: ", combination.weights.size(),
                 " given, but the weighting is ",
                 ConstantName(combination.weighting),
                 "; only EXPLICIT takes weights");
}

absl::Status NotCalibrated(Weighting weighting, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(
      ConstantName(weighting), " weights ", what,
      ": measure them with `saliency calibrate` or choose another weighting"));
}

absl::StatusOr<std::vector<double>> CalibratedGamma(
    Weighting weighting, const std::vector<std::string>& layers,
    const LayerWeights& calibrated) {
  std::vector<double> gamma;
  for (const std::string& layer : layers) {
    const std::optional<double> measured = calibrated.Gamma(weighting, layer);
    if (!measured.has_value()) {
      if (!calibrated.calibrated()) {
        return NotCalibrated(weighting, "of this model are not calibrated");
      }
      return NotCalibrated(weighting, absl::StrCat("of layer \"", layer,
                                                   "\" are not calibrated"));
    }
    gamma.push_back(*measured);
  }
  const bool all_zero =
      std::all_of(gamma.begin(), gamma.end(), [](double g) { return g == 0; });
  if (!all_zero) return gamma;
  return NotCalibrated(
      weighting, absl::StrCat("of these ", layers.size(), " layers are all 0"));
}

class Planner {
 public:
  Planner(const CombinationGround& ground, ResultPlan& plan)
      : ground_(ground), plan_(plan) {}

  absl::Status Add(const JobCombination& combination, int index) {
    const std::string field = absl::StrCat("combinations[", index, "]");
    const std::vector<std::string> layers =
        LayersOf(combination, ground_.default_layers);
    RETURN_IF_ERROR(CheckLayers(field, layers));
    ASSIGN_OR_RETURN(std::vector<double> gamma,
                     GivenGamma(field, combination, layers));
    const bool calibrated = IsCalibrated(combination.weighting);
    if (calibrated && ground_.calibrated == nullptr) {
      return Invalid(field, ".weighting ", ConstantName(combination.weighting),
                     " needs a model; maps take UNIFORM, LINEAR or EXPLICIT");
    }
    PlannedCombination planned = {.combination = index,
                                  .method = MethodOf(combination),
                                  .weighting = combination.weighting,
                                  .rule = combination.rule};
    for (const std::string& layer : layers) {
      planned.layers.push_back(LayerResult(combination, layer, index));
      const PlannedResult& result = plan_.layer_results[planned.layers.back()];
      if (planned.status.ok()) planned.status = result.status;
    }
    if (calibrated && planned.status.ok()) {
      absl::StatusOr<std::vector<double>> measured =
          CalibratedGamma(combination.weighting, layers, *ground_.calibrated);
      planned.status = measured.status();
      if (measured.ok()) gamma = *std::move(measured);
    }
    if (planned.status.ok()) {
      ASSIGN_OR_RETURN(
          planned.weights,
          CombinationWeights::Create(combination.weighting,
                                     static_cast<int>(layers.size()), gamma));
    }
    plan_.combinations.push_back(std::move(planned));
    return absl::OkStatus();
  }

 private:
  static std::string MethodOf(const JobCombination& combination) {
    return combination.attribution.has_value() ? combination.attribution->name()
                                               : std::string();
  }

  int LayerResult(const JobCombination& combination, const std::string& layer,
                  int index) {
    std::vector<Known>& at_layer = known_[layer];
    for (const Known& known : at_layer) {
      if (known.attribution == combination.attribution) return known.result;
    }
    const auto result = static_cast<int>(plan_.layer_results.size());
    at_layer.push_back({combination.attribution, result});
    plan_.layer_results.push_back(ground_.plan_layer(combination, layer));
    plan_.layer_results.back().attribution = index;
    return result;
  }

  struct Known {
    std::optional<Attribution> attribution;
    int result = 0;
  };

  const CombinationGround& ground_;
  ResultPlan& plan_;
  std::map<std::string, std::vector<Known>> known_;  // by layer
};

}  // namespace

std::size_t CountCombinedLayers(const Job& job,
                                absl::Span<const std::string> default_layers) {
  std::size_t layers = 0;
  for (const JobCombination& combination : job.combinations) {
    layers += LayersOf(combination, default_layers).size();
  }
  return layers;
}

void PlanCombinations(const Job& job, const CombinationGround& ground,
                      const EngineLimits& limits, ResultPlan& plan,
                      Violations& found) {
  const std::size_t count = job.combinations.size();
  if (count > static_cast<std::size_t>(limits.max_attributions)) {
    found.Add(Invalid("combinations: ", count, " of at most ",
                      limits.max_attributions));
    return;
  }
  Planner planner(ground, plan);
  for (std::size_t i = 0; i < count; ++i) {
    found.Add(planner.Add(job.combinations[i], static_cast<int>(i)));
  }
}

}  // namespace saliency
