// What an evaluation measures: methods by layers, and joins of the layers.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_PLAN_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "saliency/v1/explanation.pb.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {

// A weighting and a rule: "uniform+sum".
struct JoinKind {
  v1::Weighting weighting = v1::WEIGHTING_UNIFORM;
  v1::CombineRule rule = v1::COMBINE_RULE_SUM;

  std::string name() const;
};

// Errors: INVALID_ARGUMENT for another text than WEIGHTING+RULE.
absl::StatusOr<JoinKind> ParseJoinKind(absl::string_view text);

struct EvaluationPlan {
  std::vector<std::string> methods;  // names, or pairs as "conv1x1+norm"
  std::vector<std::string> layers;   // shallow to deep
  std::vector<JoinKind> joins;       // empty: no combinations
  double smooth = 0;                 // OutputOptions.smooth_sigma
  int64_t input_pixels = 0;          // of the model's input

  // One line that tells this plan from others.
  std::string Text() const;
};

// Fills in what is empty but the joins: the paper's six methods of those that
// apply to the model, and the model's combine layers; and the input's size.
// Errors: INVALID_ARGUMENT a method that does not apply, listing those that do;
//   a pair that is none.
absl::StatusOr<EvaluationPlan> CompletePlan(EvaluationPlan plan,
                                            const v1::GetModelResponse& model);

// gamma of each layer by one weighting; empty where a layer has none, or where
// all are 0: the server refuses to join by such.
std::vector<double> LayerGammas(const std::vector<std::string>& layers,
                                v1::Weighting weighting,
                                const v1::GetModelResponse& model);

// All pairs of the four weightings and two rules, less those that need a
// calibration that the model lacks.
std::vector<JoinKind> AllJoins(const EvaluationPlan& plan,
                               const v1::GetModelResponse& model);

// One method at all layers.  REQUIRES: CompletePlan accepted it.
v1::Attribution AttributionFor(const EvaluationPlan& plan,
                               const std::string& method);
v1::Combination CombinationFor(const EvaluationPlan& plan,
                               const std::string& method, const JoinKind& join);

// What one method of a request costs.
struct MethodCost {
  int64_t times = 1;         // how often it names the plan's layers
  int64_t maps = 1;          // made, of all targets
  int64_t image_pixels = 0;  // of maps at the image's size
};

// How many methods one request may ask for, by the server's default limits.
// At least 1.
std::size_t MethodsAtOnce(const EvaluationPlan& plan, const MethodCost& cost);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_PLAN_H_
