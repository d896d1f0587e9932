#include "client/cli/combine_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/request_flags.h"
#include "client/cli/request_text.h"
#include "core/base/status.h"

namespace saliency {
namespace {

absl::StatusOr<std::vector<v1::Weighting>> Weightings(
    const CombineFlags& flags) {
  std::vector<v1::Weighting> weightings;
  for (const std::string& text : flags.weightings) {
    ASSIGN_OR_RETURN(const v1::Weighting weighting, ParseWeighting(text));
    weightings.push_back(weighting);
  }
  const bool has_weights = !flags.weights.empty();
  if (weightings.empty()) {
    weightings.push_back(has_weights ? v1::WEIGHTING_EXPLICIT
                                     : v1::WEIGHTING_UNIFORM);
  }
  const bool is_explicit =
      std::find(weightings.begin(), weightings.end(), v1::WEIGHTING_EXPLICIT) !=
      weightings.end();
  if (is_explicit && !has_weights) {
    return absl::InvalidArgumentError(
        "--weighting explicit needs --weight LAYER=W for each layer");
  }
  if (has_weights && !is_explicit) {
    return absl::InvalidArgumentError(
        "--weight is for --weighting explicit alone");
  }
  return weightings;
}

absl::StatusOr<std::vector<v1::CombineRule>> Rules(const CombineFlags& flags) {
  std::vector<v1::CombineRule> rules;
  for (const std::string& text : flags.rules) {
    ASSIGN_OR_RETURN(const v1::CombineRule rule, ParseCombineRule(text));
    rules.push_back(rule);
  }
  if (rules.empty()) rules.push_back(v1::COMBINE_RULE_SUM);
  return rules;
}

absl::StatusOr<std::vector<v1::LayerWeight>> Weights(
    const CombineFlags& flags) {
  std::vector<v1::LayerWeight> weights;
  for (const std::string& text : flags.weights) {
    ASSIGN_OR_RETURN(v1::LayerWeight weight, ParseLayerWeight(text));
    weights.push_back(std::move(weight));
  }
  return weights;
}

absl::Status AddCombinations(const CombineFlags& flags,
                             const v1::ComputeSaliencyRequest& single,
                             v1::CombineLayersRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<v1::Weighting> weightings,
                   Weightings(flags));
  ASSIGN_OR_RETURN(const std::vector<v1::CombineRule> rules, Rules(flags));
  ASSIGN_OR_RETURN(const std::vector<v1::LayerWeight> weights, Weights(flags));
  for (const v1::Attribution& attribution : single.attributions()) {
    for (const v1::Weighting weighting : weightings) {
      for (const v1::CombineRule rule : rules) {
        v1::Combination& combination = *request.add_combinations();
        *combination.mutable_attribution() = attribution;
        combination.set_weighting(weighting);
        combination.set_rule(rule);
        if (weighting != v1::WEIGHTING_EXPLICIT) continue;
        combination.mutable_weights()->Add(weights.begin(), weights.end());
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddCombineFlags(CLI::App& command, CombineFlags& flags) {
  constexpr char kGroup[] = "Combination";
  AddExplainFlags(command, flags.explain);
  AddRepeatable(command, "--weighting", flags.weightings,
                "weights of the layers: uniform (the default), linear, "
                "explicit, feature_spread, classification_accuracy; "
                "repeatable");
  AddRepeatable(command, "--rule", flags.rules,
                "how they are joined: sum (the default) or product; "
                "repeatable");
  AddRepeatable(command, "--weight", flags.weights,
                "LAYER=W, for --weighting explicit, which it implies; "
                "repeatable");
  for (const char* name : {"--weighting", "--rule", "--weight"}) {
    command.get_option(name)->group(kGroup);
  }
  command
      .add_flag("--layer-maps", flags.layer_maps, "each layer's own map too")
      ->group(kGroup);
}

absl::StatusOr<CombinePlan> MakeCombinePlan(const CombineFlags& flags,
                                            std::istream& input) {
  const ExplainFlags& explain = flags.explain;
  if (explain.size == "layer") {
    return absl::InvalidArgumentError(
        "--size layer: the layers of a combination differ in size");
  }
  if (flags.layer_maps && !explain.overlay.empty()) {
    return absl::InvalidArgumentError(
        "--overlay holds one result: with --layer-maps use --out-dir DIR");
  }
  CombinePlan plan;
  ASSIGN_OR_RETURN(const v1::ComputeSaliencyRequest single,
                   MakeRequest(explain.request, explain.connection));
  RETURN_IF_ERROR(AddCombinations(flags, single, plan.request));
  const int of_each =
      plan.request.combinations_size() / single.attributions_size();
  ASSIGN_OR_RETURN(plan.explain, MakeExplainPlan(explain, of_each, input));
  CopyRequestFields(plan.explain.request, plan.request);
  plan.request.set_layer_maps(flags.layer_maps);
  return plan;
}

}  // namespace saliency
