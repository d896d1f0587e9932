// The parts that all requests for explanations share, from the wire.
// Pure functions; safe from any thread.
//
// Errors of all of them: INVALID_ARGUMENT naming the field below what is
// converted, the value and the limit.  Those that take Violations put them
// there, and something harmless in the place of what is wrong, so that the rest
// of the request is looked at too.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_PARTS_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_PARTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/attribution/attribution.h"
#include "core/base/status.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

// "targets: 65 of at most 64".
absl::Status CheckCount(absl::string_view what, int64_t count, int64_t limit);

// What would cost memory to convert: a message of 32 MiB holds millions of
// layers.
absl::Status CheckAttributionCounts(
    const google::protobuf::RepeatedPtrField<v1::Attribution>& attributions,
    const EngineLimits& limits);
absl::Status CheckImageBytes(const v1::Input& input,
                             const EngineLimits& limits);

// "output.encoding: unknown value 9".
template <typename Enum>
absl::Status UnknownValue(absl::string_view field, Enum value) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": unknown value ", static_cast<int>(value)));
}

// The version that `model` names; 0: it names none.
absl::StatusOr<int64_t> VersionFromProto(const v1::ModelRef& model);
absl::StatusOr<JobInput> InputFromProto(const v1::Input& input);
// Within the limit on its bytes as well.
JobInput InputFromProto(const v1::Input& input, const EngineLimits& limits,
                        Violations& found);
// None when there are more than the limit allows.
std::vector<JobTarget> TargetsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Target>& targets,
    const EngineLimits& limits, Violations& found);
// norm_grad, the method of a request that names none.
Attribution DefaultAttribution();
// Its method or pair; the layers are the caller's to read.
Attribution AttributionFromProto(const v1::Attribution& attribution,
                                 Violations& found);
// Those of a request, norm_grad at the default layers when it names none.  None
// when there are more, or more layers, than the limits allow.
std::vector<JobAttribution> AttributionsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Attribution>& attributions,
    const EngineLimits& limits, Violations& found);
absl::StatusOr<Score> ScoreFromProto(v1::Score score);
OutputOptions OutputFromProto(const v1::OutputOptions& output,
                              Violations& found);

// What every question to a model has: the model and the score.
template <typename Request>
void FillModel(const Request& request, Job& job, Violations& found) {
  job.model = request.model().name();
  job.version = found.Take(VersionFromProto(request.model()));
  job.score = found.Take(ScoreFromProto(request.score()), Score::kLogit);
}

// And every question for maps: targets, output and top_k besides.
template <typename Request>
void FillQuestion(const Request& request, const EngineLimits& limits, Job& job,
                  Violations& found) {
  FillModel(request, job, found);
  job.targets = TargetsFromProto(request.targets(), limits, found);
  job.output = OutputFromProto(request.output(), found);
  if (request.has_top_k()) job.top_k = request.top_k();
}

// The job, or all that is wrong with the request.
template <typename Request>
absl::StatusOr<Job> JobFromProto(const Request& request,
                                 const EngineLimits& limits) {
  Violations found;
  Job job = JobFromProto(request, limits, found);
  if (!found.empty()) return found.status();
  return job;
}

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_PARTS_H_
