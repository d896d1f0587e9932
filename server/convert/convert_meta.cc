#include "server/convert/convert_meta.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert/convert_answer.h"

namespace saliency {
namespace {

absl::StatusOr<MetaDirection> DirectionFromProto(v1::MetaDirection direction) {
  switch (direction) {
    case v1::META_DIRECTION_UNSPECIFIED:
    case v1::META_DIRECTION_DESCENT:
      return MetaDirection::kDescent;
    case v1::META_DIRECTION_ASCENT:
      return MetaDirection::kAscent;
    default:
      return UnknownValue("direction", direction);
  }
}

absl::StatusOr<std::optional<MetaLoss>> LossFromProto(v1::MetaLoss loss) {
  switch (loss) {
    case v1::META_LOSS_UNSPECIFIED:
      return std::optional<MetaLoss>();
    case v1::META_LOSS_CROSS_ENTROPY:
      return std::optional<MetaLoss>(MetaLoss::kCrossEntropy);
    case v1::META_LOSS_BINARY_CROSS_ENTROPY:
      return std::optional<MetaLoss>(MetaLoss::kBinaryCrossEntropy);
    default:
      return UnknownValue("loss", loss);
  }
}

// Fills a MetaMap or MetaCombinedMap from what the explanation holds at
// `index`; vectors that were not asked for are empty.
template <typename Result, typename Message>
void FillPair(std::vector<Result>& results, std::vector<Result>& plain,
              const std::vector<std::optional<double>>& correlations,
              std::size_t index, absl::string_view request_id, Message* out) {
  ToProto(std::move(results[index]), request_id, out->mutable_map());
  if (!plain.empty()) {
    ToProto(std::move(plain[index]), request_id, out->mutable_plain());
  }
  if (!correlations.empty() && correlations[index].has_value()) {
    out->set_plain_correlation(*correlations[index]);
  }
}

}  // namespace

JobMetaStep StepFromProto(const v1::MetaStep& step, Violations& found) {
  JobMetaStep converted;
  if (step.has_epsilon()) converted.epsilon = step.epsilon();
  Violations of_this;
  converted.direction = of_this.Take(DirectionFromProto(step.direction()));
  converted.loss = of_this.Take(LossFromProto(step.loss()));
  found.Add("step", of_this);
  return converted;
}

Job JobFromProto(const v1::MetaSaliencyRequest& request,
                 const EngineLimits& limits, Violations& found) {
  Job job;
  FillQuestion(request, limits, job, found);
  FillMaps(request, limits, job, found);
  job.meta = StepFromProto(request.step(), found);
  job.plain_maps = request.plain_maps();
  if (request.plain_correlation()) job.correlate = Correlate::kPlain;
  return job;
}

void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::MetaSaliencyResponse* response) {
  ToProto(explanation, response->mutable_summary());
  for (std::size_t i = 0; i < explanation.results.size(); ++i) {
    FillPair(explanation.results, explanation.plain_results,
             explanation.correlations, i, request_id, response->add_maps());
  }
  for (std::size_t i = 0; i < explanation.combined.size(); ++i) {
    FillPair(explanation.combined, explanation.plain_combined,
             explanation.combined_correlations, i, request_id,
             response->add_combined());
  }
}

}  // namespace saliency
