// What the pointing game asks the server about a picture, and what the answers
// mean.  One request serves many methods, layers and combinations, so that they
// share a forward and a backward pass.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_POINTING_QUESTIONS_H_
#define SALIENCY_CLIENT_POINTING_QUESTIONS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/pointing_report.h"
#include "client/pointing_tally.h"
#include "client/voc_folder.h"
#include "saliency/v1/model_service.pb.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// A weighting and a rule: "uniform+sum".
struct JoinKind {
  v1::Weighting weighting = v1::WEIGHTING_UNIFORM;
  v1::CombineRule rule = v1::COMBINE_RULE_SUM;

  std::string name() const;
};

// Errors: INVALID_ARGUMENT for another text than WEIGHTING+RULE.
absl::StatusOr<JoinKind> ParseJoinKind(absl::string_view text);

struct PointingPlan {
  std::vector<std::string> methods;
  std::vector<std::string> layers;  // shallow to deep
  std::vector<JoinKind> joins;      // empty: no combinations

  // One line that tells this plan from others.
  std::string Text() const;
};

// Fills in what is empty: the paper's six methods of those that apply to the
// model, the model's combine layers, and all pairs of the four weightings and
// two rules, less those that need a calibration that the model lacks.
// Errors: INVALID_ARGUMENT a method that does not apply, listing those that do.
absl::StatusOr<PointingPlan> CompletePlan(PointingPlan plan,
                                          const v1::GetModelResponse& model);

// The layers' weights by each weighting of the plan, for the plot.
std::vector<WeightCurve> WeightCurves(const PointingPlan& plan,
                                      const v1::GetModelResponse& model);

// The categories that are asked about: those with an object that is not
// difficult.
std::map<std::string, CategoryBoxes> PlayedCategories(
    const VocAnnotation& annotation);

// As few requests as the server's limits allow, each for some methods at all
// layers and joins.  Without model, version and picture.  `categories` become
// the targets, in order.
std::vector<v1::CombineLayersRequest> PointingRequests(
    const PointingPlan& plan,
    const std::map<std::string, CategoryBoxes>& categories);

// The games that an answer to such a request decides.
// Errors: that of the first result that failed, with its method and place;
//   INTERNAL an answer in another shape than asked for.
absl::StatusOr<std::vector<PointingGame>> PointingGames(
    const std::string& picture,
    const std::map<std::string, CategoryBoxes>& categories,
    const v1::CombineLayersResponse& answer);

// Where the picture's centre would point.
std::vector<PointingGame> CentreGames(
    const std::string& picture, const VocAnnotation& annotation,
    const std::map<std::string, CategoryBoxes>& categories);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_POINTING_QUESTIONS_H_
