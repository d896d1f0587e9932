// What the pointing game asks the server about an image, and what the answers
// mean.  One request serves many methods, layers and combinations, so that they
// share a forward and a backward pass.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_POINTING_REQUESTS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_POINTING_REQUESTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/evaluate/evaluation_plan.h"
#include "client/cli/evaluate/pointing_metrics.h"
#include "client/cli/evaluate/pointing_report.h"
#include "client/cli/evaluate/voc_folder.h"
#include "saliency/v1/model_service.pb.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// The layers' weights by each weighting of the plan, for the plot.
std::vector<WeightCurve> WeightCurves(const EvaluationPlan& plan,
                                      const v1::GetModelResponse& model);

// The categories that are asked about: those with an object that is not
// difficult.
std::map<std::string, CategoryBoxes> PlayedCategories(
    const VocAnnotation& annotation);

// As few requests as the server's limits allow, each for some methods at all
// layers and joins.  Without model, version and image, which has
// `image_pixels`.  `categories` become the targets, in order.
std::vector<v1::CombineLayersRequest> PointingRequests(
    const EvaluationPlan& plan,
    const std::map<std::string, CategoryBoxes>& categories,
    int64_t image_pixels);

// The trials that an answer to such a request decides.
// Errors: that of the first result that failed, with its method and place;
//   INTERNAL a target that was not asked for.
absl::StatusOr<std::vector<PointingTrial>> PointingTrials(
    const std::string& image,
    const std::map<std::string, CategoryBoxes>& categories,
    const v1::CombineLayersResponse& answer);

// Whether the answer has all maps that the request asks for, each as large as
// the annotation's image.  They are not where one of the two was turned or
// resized without the other, and the boxes then lie elsewhere than the points.
// Errors: INTERNAL another number of maps; INVALID_ARGUMENT naming both sizes.
absl::Status CheckAnswer(const VocAnnotation& annotation,
                         const v1::CombineLayersRequest& request,
                         const v1::CombineLayersResponse& answer);

// Where the image's centre would point.
std::vector<PointingTrial> CentreTrials(
    const std::string& image, const VocAnnotation& annotation,
    const std::map<std::string, CategoryBoxes>& categories);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_POINTING_REQUESTS_H_
