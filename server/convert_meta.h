// MetaSaliency from the wire and back, and what other requests with a meta step
// share with it.  Checked here: what a Job cannot express, and what would cost
// memory to convert at all; the rest is the engine's.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_META_H_
#define SALIENCY_SERVER_CONVERT_META_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/convert_combination.h"
#include "server/convert_parts.h"

namespace saliency {

// Errors: INVALID_ARGUMENT naming the field below "step" and the value.
absl::StatusOr<JobMetaStep> StepFromProto(const v1::MetaStep& step);

// Everything of the job but request_id, deadline and cancel.
// Errors: INVALID_ARGUMENT naming the field, the value and the limit, as
//   `step.direction: unknown value 9`.
absl::StatusOr<Job> JobFromProto(const v1::MetaSaliencyRequest& request,
                                 const EngineLimits& limits);

// Fills `response`, taking the maps' bytes; a failed result carries the status
// that a caller may see (public_status.h).
void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::MetaSaliencyResponse* response);

// The input and the maps of a request that has attributions and combinations:
// of the former norm_grad when it has neither.
template <typename Request>
absl::Status FillMaps(const Request& request, const EngineLimits& limits,
                      Job& job) {
  RETURN_IF_ERROR(CheckAttributionCounts(request.attributions(), limits));
  RETURN_IF_ERROR(CheckCombinationCounts(request.combinations(), limits));
  RETURN_IF_ERROR(CheckPictureBytes(request.input(), limits));
  if (request.combinations().empty() || !request.attributions().empty()) {
    ASSIGN_OR_RETURN(job.attributions,
                     AttributionsFromProto(request.attributions()));
  }
  ASSIGN_OR_RETURN(job.combinations,
                   CombinationsFromProto(request.combinations()));
  ASSIGN_OR_RETURN(job.input, InputFromProto(request.input()));
  return absl::OkStatus();
}

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_META_H_
