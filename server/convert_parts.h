// The parts that all requests for explanations share, from the wire.
// Pure functions; safe from any thread.
//
// Errors of all of them: INVALID_ARGUMENT naming the field below what is
// converted, the value and the limit.

#ifndef SALIENCY_SERVER_CONVERT_PARTS_H_
#define SALIENCY_SERVER_CONVERT_PARTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/attribution/attribution.h"
#include "core/base/status.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

// The method of a request that names none.
inline constexpr char kDefaultMethod[] = "norm_grad";

// "targets: 65 of at most 64".
absl::Status CheckCount(absl::string_view what, int64_t count, int64_t limit);

// What would cost memory to convert: a message of 32 MiB holds millions of
// layers.
absl::Status CheckAttributionCounts(
    const google::protobuf::RepeatedPtrField<v1::Attribution>& attributions,
    const EngineLimits& limits);
absl::Status CheckPictureBytes(const v1::Input& input,
                               const EngineLimits& limits);

// "output.encoding: unknown value 9".
template <typename Enum>
absl::Status UnknownValue(absl::string_view field, Enum value) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": unknown value ", static_cast<int>(value)));
}

absl::StatusOr<int64_t> VersionFromProto(int64_t version);
absl::StatusOr<JobInput> InputFromProto(const v1::Input& input);
absl::StatusOr<std::vector<JobTarget>> TargetsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Target>& targets);
// Its method or pair; the layers are the caller's to read.
absl::StatusOr<Attribution> AttributionFromProto(
    const v1::Attribution& attribution);
// Those of a request, norm_grad at the default layers when it names none.
absl::StatusOr<std::vector<JobAttribution>> AttributionsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Attribution>& attributions);
absl::StatusOr<Score> ScoreFromProto(v1::Score score);
absl::StatusOr<OutputOptions> OutputFromProto(const v1::OutputOptions& output);

// What every question to a model has: model, version and score.
template <typename Request>
absl::Status FillModel(const Request& request, Job& job) {
  job.model = request.model();
  if (request.has_version()) {
    ASSIGN_OR_RETURN(job.version, VersionFromProto(request.version()));
  }
  ASSIGN_OR_RETURN(job.score, ScoreFromProto(request.score()));
  return absl::OkStatus();
}

// And every question for maps: targets, output and top_k besides.
template <typename Request>
absl::Status FillQuestion(const Request& request, Job& job) {
  RETURN_IF_ERROR(FillModel(request, job));
  ASSIGN_OR_RETURN(job.targets, TargetsFromProto(request.targets()));
  ASSIGN_OR_RETURN(job.output, OutputFromProto(request.output()));
  if (request.has_top_k()) job.top_k = request.top_k();
  return absl::OkStatus();
}

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_PARTS_H_
