#include "client/cli/evaluate/class_sensitivity_requests.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// How many measurements of an image `request` asks for.
int CountOf(const v1::MeasureClassSensitivityRequest& request) {
  int count = request.combinations_size();
  for (const v1::Attribution& attribution : request.attributions()) {
    count += attribution.layers_size();
  }
  return count;
}

absl::StatusOr<std::string> PlaceOf(
    const v1::MeasureClassSensitivityRequest& request,
    const v1::ClassSensitivity& measured) {
  if (!measured.layer().empty()) return measured.layer();
  const int index = measured.attribution();
  if (index < 0 || index >= request.combinations_size()) {
    return absl::InternalError(
        "the answer has a combination that was not asked for");
  }
  const v1::Combination& combination = request.combinations(index);
  return JoinKind{combination.weighting(), combination.rule()}.name();
}

}  // namespace

std::vector<v1::MeasureClassSensitivityRequest> ClassSensitivityRequests(
    const EvaluationPlan& plan, const std::optional<v1::MetaStep>& step) {
  const auto joins = static_cast<int64_t>(plan.joins.size());
  const auto layers = static_cast<int64_t>(plan.layers.size());
  // Two classes; combinations have maps of their layers made once more.
  const std::size_t at_once = MethodsAtOnce(
      plan, {.times = 1 + joins,
             .maps = 2 * (layers + (joins > 0 ? layers + joins : 0))});
  std::vector<v1::MeasureClassSensitivityRequest> requests;
  for (std::size_t m = 0; m < plan.methods.size(); ++m) {
    if (m % at_once == 0) requests.emplace_back();
    const std::string& method = plan.methods[m];
    *requests.back().add_attributions() = AttributionFor(plan, method);
    for (const JoinKind& join : plan.joins) {
      *requests.back().add_combinations() = CombinationFor(plan, method, join);
    }
  }
  if (!step.has_value()) return requests;
  const std::size_t plain = requests.size();
  for (std::size_t i = 0; i < plain; ++i) {
    v1::MeasureClassSensitivityRequest stepped = requests[i];
    *stepped.mutable_step() = *step;
    requests.push_back(std::move(stepped));
  }
  return requests;
}

absl::StatusOr<std::vector<ClassCorrelation>> ClassCorrelations(
    const std::string& image, const v1::MeasureClassSensitivityRequest& request,
    const v1::MeasureClassSensitivityResponse& answer) {
  if (answer.measurements_size() != CountOf(request)) {
    return absl::InternalError(absl::StrCat(
        "the answer has ", answer.measurements_size(), " measurements of ",
        CountOf(request), " that were asked for"));
  }
  std::vector<ClassCorrelation> correlations;
  for (const v1::ClassSensitivity& measured : answer.measurements()) {
    ASSIGN_OR_RETURN(const std::string place, PlaceOf(request, measured));
    if (measured.status().code() != 0) {
      return absl::Status(
          static_cast<absl::StatusCode>(measured.status().code()),
          absl::StrCat(measured.method(), " @ ", place, ": ",
                       measured.status().message()));
    }
    ClassCorrelation one = {
        .image = image,
        .method = measured.method(),
        .place = place,
        .combined = measured.layer().empty(),
        .meta = request.has_step(),
        .most_likely = measured.most_likely().class_index(),
        .least_likely = measured.least_likely().class_index()};
    if (measured.has_correlation()) one.correlation = measured.correlation();
    correlations.push_back(std::move(one));
  }
  return correlations;
}

}  // namespace saliency
