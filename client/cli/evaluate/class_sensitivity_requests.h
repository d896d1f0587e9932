// What the class sensitivity asks the server about an image, and what the
// answers mean.  One request serves many methods, layers and combinations.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_REQUESTS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_REQUESTS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/evaluate/class_sensitivity_metrics.h"
#include "client/cli/evaluate/evaluation_plan.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// As few requests as the server's limits allow for the model as it is, and as
// many again after `step` when there is one.  Without model, version and
// image.
std::vector<v1::MeasureClassSensitivityRequest> ClassSensitivityRequests(
    const EvaluationPlan& plan, const std::optional<v1::MetaStep>& step);

// What an answer to such a request holds.
// Errors: that of the first measurement that failed, with its method and place;
//   INTERNAL an answer in another shape than asked for.
absl::StatusOr<std::vector<ClassCorrelation>> ClassCorrelations(
    const std::string& image, const v1::MeasureClassSensitivityRequest& request,
    const v1::MeasureClassSensitivityResponse& answer);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_REQUESTS_H_
